-- Forgets who was in a room by way of a node. Nobody is told: each node knows by itself that it is gone.
--
-- KEYS: 1 who
-- ARGV: 1 the node
local start = ARGV[1] .. '\0'
for _, entry in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(entry, 1, #start) == start then redis.call('HDEL', KEYS[1], entry) end
end
return redis.status_reply('OK')
