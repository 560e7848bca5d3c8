-- Numbers a message of a room, keeps it, and tells all who have subscribed to the room.
--
-- KEYS: 1 room, 2 log, 3 keys, 4 sent
-- ARGV: 1 channel, 2 PUBLISH or SPUBLISH, 3 run of this Redis, 4 an epoch for a room that has none,
--       5 milliseconds since 1970 at which it is published, 6 a name by which it is known if it is sent again, or
--       nothing, 7 a digest of its content in 16 characters, 8 the message,
--       9 how many messages the room keeps, 10 for how many milliseconds, 11 how many bytes of them
-- Answers with EPOCH:OFFSET, also if it was sent before; with ! if the name is that of another message.
--
-- room is a hash: e epoch, l last offset, r run that has numbered last, b last offset before that run,
-- f first offset that is kept, w bytes that are kept, t time of the first that is kept, x time at which the
-- expiry of all this was set. log is a stream, with the id OFFSET-TIME. keys has the digest and offset of names,
-- sent the names in the order of their offsets.
local room, log, keys, sent = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local run, name, digest, body = ARGV[3], ARGV[6], ARGV[7], ARGV[8]
local at, keep, age, most = tonumber(ARGV[5]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])

-- Names are known beyond their messages: the newest of them, for so many milliseconds.
local RECENT, RECENT_AGE = 128, 300000
-- A room's epoch and offset are known so many milliseconds longer than its messages.
local WEEK = 604800000

-- Lua would write large numbers with an exponent.
local function text(number) return string.format('%d', number) end

local known = redis.call('HMGET', room, 'e', 'l', 'r', 'f', 'w', 't', 'x')
local epoch, last = known[1], tonumber(known[2]) or 0
local first, bytes, oldest = tonumber(known[4]) or 1, tonumber(known[5]) or 0, tonumber(known[6]) or at
local expires = tonumber(known[7])
if not epoch then
  epoch, last, first, bytes, oldest, expires = ARGV[4], 0, 1, 0, at, nil
  redis.call('DEL', log, keys, sent)
  redis.call('HSET', room, 'e', epoch, 'r', run, 'b', '0')
elseif known[3] ~= run then
  redis.call('HSET', room, 'r', run, 'b', text(last))
end

if name ~= '' then
  local before = redis.call('HGET', keys, name)
  if before then
    if string.sub(before, 1, 16) ~= digest then return '!' end
    return epoch .. ':' .. string.sub(before, 17)
  end
end

local offset = last + 1
local id = text(offset)
if keep == 0 then
  redis.call('DEL', log)
  first, bytes, oldest = offset + 1, 0, at
else
  redis.call('XADD', log, id .. '-' .. ARGV[5], 'm', body)
  if first > last then oldest = at end
  bytes = bytes + #body
end

local function lifetime_of_names() return text(math.max(age, RECENT_AGE) * 9 / 8 + 1000) end
if not expires or at < expires or at - expires > age / 8 then
  -- All that was there has expired.
  if keep > 0 and redis.call('XLEN', log) == 1 then first, bytes, oldest = offset, #body, at end
  redis.call('PEXPIRE', log, text(age + age / 8 + 1000))
  redis.call('PEXPIRE', keys, lifetime_of_names())
  redis.call('PEXPIRE', sent, lifetime_of_names())
  redis.call('HSET', room, 'x', ARGV[5])
  redis.call('PEXPIRE', room, text(age + age / 8 + WEEK))
end

-- What is too much is dropped: many at a time, where more messages than are kept do no harm; and a bit at a time,
-- should a room keep far less than before.
local function is_due(slack)
  return offset - first >= keep + slack or (bytes > most and first < offset) or at - oldest >= age
end
local from = first
if is_due(math.floor(math.min(keep / 8, 32))) then
  for _ = 1, 4 do
    if first > offset or not is_due(0) then break end
    local count = math.min(math.max(offset - first + 1 - keep, 1), 64)
    local oldest_ones = redis.call('XRANGE', log, text(first), '+', 'COUNT', count + 1)
    if #oldest_ones == 0 then
      first, bytes = offset + 1, 0
    end
    for _, entry in ipairs(oldest_ones) do
      local number, time = string.match(entry[1], '^(%d+)-(%d+)$')
      first, oldest = tonumber(number), tonumber(time)
      if not is_due(0) then break end
      first, bytes = first + 1, bytes - #entry[2][2]
    end
  end
end
if first > from and keep > 0 then redis.call('XTRIM', log, 'MINID', text(first)) end

if name ~= '' then
  redis.call('HSET', keys, name, digest .. id)
  local count = redis.call('RPUSH', sent, id .. ' ' .. ARGV[5] .. ' ' .. name)
  if count == 1 then
    redis.call('PEXPIRE', keys, lifetime_of_names())
    redis.call('PEXPIRE', sent, lifetime_of_names())
  elseif count % 16 == 0 then
    local gone = {}
    for _, item in ipairs(redis.call('LRANGE', sent, 0, 63)) do
      local number, time, old = string.match(item, '^(%d+) (%d+) (.*)$')
      number = tonumber(number)
      local is_recent = number > offset - RECENT and at - tonumber(time) <= RECENT_AGE
      if number >= first or is_recent then break end
      gone[#gone + 1] = old
    end
    if #gone > 0 then
      redis.call('LTRIM', sent, #gone, -1)
      redis.call('HDEL', keys, unpack(gone))
    end
  end
end

redis.call('HSET', room, 'l', id, 'f', text(first), 'w', text(bytes), 't', text(oldest))
redis.call(ARGV[2], ARGV[1], 'M' .. epoch .. ':' .. id .. ':' .. ARGV[5] .. ' ' .. body)
return epoch .. ':' .. id
