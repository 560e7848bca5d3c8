-- Messages of a room, by their offsets.
--
-- KEYS: 1 room, 2 log, 3 keys, 4 sent
-- ARGV: 1 run of this Redis, 2 an epoch for a room that has none, 3 offset of the first, 4 of the last,
--       5 how many at most, 6 how many bytes of them at most, 7 whether those are the newest (1) or the oldest (0)
-- Answers with { EPOCH, last offset of the room, first offset that is kept, { id, message, … } }, in order.
local room, log = KEYS[1], KEYS[2]
local bytes, is_newest = tonumber(ARGV[6]), ARGV[7] == '1'
local WEEK = 604800000

local known = redis.call('HMGET', room, 'e', 'l', 'f')
if not known[1] then
  known = { ARGV[2], '0', '1' }
  redis.call('DEL', log, KEYS[3], KEYS[4])
  redis.call('HSET', room, 'e', ARGV[2], 'r', ARGV[1], 'b', '0', 'l', '0')
  redis.call('PEXPIRE', room, WEEK)
end

local found
if is_newest then
  found = redis.call('XREVRANGE', log, ARGV[4], ARGV[3], 'COUNT', ARGV[5])
else
  found = redis.call('XRANGE', log, ARGV[3], ARGV[4], 'COUNT', ARGV[5])
end
local taken = 0
for _, entry in ipairs(found) do
  bytes = bytes - #entry[2][2]
  if bytes < 0 and taken > 0 then break end
  taken = taken + 1
end
local messages = {}
for at = 1, taken do
  local entry = found[is_newest and taken + 1 - at or at]
  messages[#messages + 1] = entry[1]
  messages[#messages + 1] = entry[2][2]
end
return { known[1], known[2] or '0', known[3] or '1', messages }
