-- The rooms that somebody is in, those with the most connections first.
--
-- KEYS: 1 rooms
-- ARGV: 1 how many to leave out, 2 how many at most
-- Answers with { how many there are, room, connections below zero, … }.
local told = { redis.call('ZCARD', KEYS[1]) }
local first = tonumber(ARGV[1])
local found = redis.call('ZRANGE', KEYS[1], first, first + tonumber(ARGV[2]) - 1, 'WITHSCORES')
for at = 1, #found do told[at + 1] = found[at] end
return told
