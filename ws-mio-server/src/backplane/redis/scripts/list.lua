-- How many connections rooms have by way of a node that lives. The list of all rooms has their sums.
--
-- KEYS: 1 rooms, 2 nodes, 3 the rooms of the node
-- ARGV: 1 the node, 2 for how many milliseconds what it has said counts; then a room and its number of connections,
--       and so on
-- Answers with { 1 if the list knows what the node has said before, else 0, a node that has been silent for too
-- long, … }.
--
-- rooms is a sorted set, by the number of connections below zero, so that the busiest come first and equals by their
-- names. nodes is one by the time at which a node will have been silent for too long. The rooms of a node are a hash.
local rooms, nodes, of, node = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local WEEK = 604800000
local MOST = 8
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- Once it was silent for too long, others may have begun to forget it.
local before = tonumber(redis.call('ZSCORE', nodes, node))
local is_known = before and before > now
redis.call('ZADD', nodes, now + tonumber(ARGV[2]), node)
for at = 3, #ARGV, 2 do
  local room, connections = ARGV[at], tonumber(ARGV[at + 1])
  local before = tonumber(redis.call('HGET', of, room)) or 0
  if connections == 0 then
    redis.call('HDEL', of, room)
  elseif connections ~= before then
    redis.call('HSET', of, room, connections)
  end
  if connections ~= before and tonumber(redis.call('ZINCRBY', rooms, before - connections, room)) >= 0 then
    redis.call('ZREM', rooms, room)
  end
end
-- Where no node has been for a week, nothing is left of them.
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, WEEK) end

local told = { is_known and 1 or 0 }
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', nodes, '-inf', now, 'LIMIT', 0, MOST)) do
  told[#told + 1] = silent
end
return told
