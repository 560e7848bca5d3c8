-- Where a room is, what was said in it, and who is there. Who asks has subscribed to the room before.
--
-- KEYS: 1 room, 2 log, 3 keys, 4 sent, 5 who
-- ARGV: 1 run of this Redis, 2 an epoch for a room that has none, 3 epoch and 4 offset of the last message
--       that the node has seen, or nothing and 0, 5 run in which it was attached before, or 0,
--       6 how many messages at most, 7 how many bytes of them at most
-- Answers with { EPOCH, last offset, first offset that is kept, { id, message, … }, { who, connections, … }, version
-- of that };
-- messages are those behind the one that was seen, or the newest ones, in order.
local room, log = KEYS[1], KEYS[2]
local run, most, bytes = ARGV[1], tonumber(ARGV[6]), tonumber(ARGV[7])
local WEEK = 604800000

local function text(number) return string.format('%.0f', number) end

local known = redis.call('HMGET', room, 'e', 'l', 'r', 'b', 'f')
local epoch, last, first = known[1], tonumber(known[2]) or 0, tonumber(known[5]) or 1
local before = tonumber(known[4]) or 0
if epoch and known[3] ~= run then
  before = last
  redis.call('HSET', room, 'r', run, 'b', text(before))
end
local seen = epoch and ARGV[3] == epoch and tonumber(ARGV[4])
-- Redis has started again, or another one is master now, and messages are gone that the node has seen: their
-- offsets are given to others, or would be.
if seen and ARGV[5] ~= '0' and (seen > last or (ARGV[5] ~= run and seen > before)) then epoch = false end
if not epoch then
  epoch, last, first, seen = ARGV[2], 0, 1, false
  redis.call('DEL', room, log, KEYS[3], KEYS[4])
  redis.call('HSET', room, 'e', epoch, 'r', run, 'b', '0', 'l', '0')
  redis.call('PEXPIRE', room, WEEK)
end

local messages = {}
if most > 0 and last > (seen or 0) then
  local found
  if seen then
    found = redis.call('XRANGE', log, text(seen + 1), '+', 'COUNT', most)
  else
    found = redis.call('XREVRANGE', log, '+', '-', 'COUNT', most)
  end
  local taken = 0
  for _, entry in ipairs(found) do
    bytes = bytes - #entry[2][2]
    if bytes < 0 and taken > 0 then break end
    taken = taken + 1
  end
  for at = 1, taken do
    local entry = found[seen and at or taken + 1 - at]
    messages[#messages + 1] = entry[1]
    messages[#messages + 1] = entry[2][2]
  end
end
local version = redis.call('HGET', KEYS[5], '')
if not version then
  -- Newer than all that was told before, and older than what will be: see present.lua.
  local time = redis.call('TIME')
  version = text(tonumber(time[1]) * 1000000 + tonumber(time[2]))
end
return { epoch, text(last), text(first), messages, redis.call('HGETALL', KEYS[5]), version }
