-- How many connections users have to a room, by way of one node. Those who have subscribed to the room are told
-- of each, also where nothing changes: they may know something else.
--
-- KEYS: 1 who
-- ARGV: 1 channel, 2 PUBLISH or SPUBLISH, 3 the node, 4 milliseconds until all entries of the room are forgotten,
--       if none changes; then a user and its number of connections, and so on
--
-- who is a hash: NODE\0USER has the number of connections, and nothing's name the version of all this, which grows
-- with each call. It begins with the time in microseconds, so that it also grows when all was forgotten in between.
local who, node = KEYS[1], ARGV[3]
local version = redis.call('HINCRBY', who, '', 1)
if version == 1 then
  local time = redis.call('TIME')
  version = tonumber(time[1]) * 1000000 + tonumber(time[2])
  redis.call('HSET', who, '', string.format('%.0f', version))
end
local told = {}
for at = 5, #ARGV, 2 do
  local user, connections = ARGV[at], ARGV[at + 1]
  local entry = node .. '\0' .. user
  if connections == '0' then
    redis.call('HDEL', who, entry)
  else
    redis.call('HSET', who, entry, connections)
  end
  told[#told + 1] = user .. '\0' .. connections
end
redis.call('PEXPIRE', who, ARGV[4])
if #told > 0 then
  local head = 'P' .. string.format('%.0f', version) .. ' ' .. node .. '\0'
  redis.call(ARGV[2], ARGV[1], head .. table.concat(told, '\0'))
end
return redis.status_reply('OK')
