-- A node lives. Time is Redis's own, so that the clocks of nodes don't matter.
--
-- KEYS: 1 nodes, with the time at which the lease of each ends
-- ARGV: 1 the node, 2 milliseconds of its lease
-- Answers with { node, milliseconds that its lease lasts, … }.
local DAY = 86400000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - DAY)
local nodes = {}
local known = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for at = 1, #known, 2 do
  nodes[#nodes + 1] = known[at]
  nodes[#nodes + 1] = string.format('%.0f', math.max(tonumber(known[at + 1]) - now, 0))
end
return nodes
