-- Gives a pointer that is in flight another nonce.
-- KEYS: pointers, running
-- ARGV: job, nonce, the other nonce, lane
local job, nonce, other, lane = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('HGET', KEYS[1], job) ~= nonce then return 0 end
if not redis.call('ZSCORE', KEYS[2], job .. lane) then return 0 end
redis.call('HSET', KEYS[1], job, other)
return 1
