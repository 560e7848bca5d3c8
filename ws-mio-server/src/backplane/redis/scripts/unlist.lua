-- Takes some of the rooms of a node that has been silent for too long from the list, until none are left.
--
-- KEYS: 1 rooms, 2 nodes, 3 the rooms of the node
-- ARGV: 1 the node, 2 how many at most
local rooms, nodes, of, node = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- It may have said something meanwhile.
local until_ = tonumber(redis.call('ZSCORE', nodes, node))
if not until_ or until_ > now then return redis.status_reply('OK') end

local some = redis.call('HRANDFIELD', of, ARGV[2], 'WITHVALUES')
for at = 1, #some, 2 do
  redis.call('HDEL', of, some[at])
  if tonumber(redis.call('ZINCRBY', rooms, some[at + 1], some[at])) >= 0 then redis.call('ZREM', rooms, some[at]) end
end
if redis.call('EXISTS', of) == 0 then redis.call('ZREM', nodes, node) end
return redis.status_reply('OK')
