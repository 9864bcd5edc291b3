-- Puts pointers that are in flight back to the front of their lanes.
-- KEYS: pointers, running, ring, busy, turn
-- ARGV: lane key prefix, rank, signal channel, queue, then (job, nonce, lane)...
local pointers, running, ring, busy, turn = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local back = 0
for i = 5, #ARGV, 3 do
  local job, nonce, lane = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', pointers, job) == nonce and redis.call('ZREM', running, job .. lane) == 1 then
    if redis.call('HINCRBY', busy, lane, -1) <= 0 then redis.call('HDEL', busy, lane) end
    redis.call('ZADD', ARGV[1] .. lane, ARGV[2], job)
    if not redis.call('ZSCORE', ring, lane) then
      redis.call('ZADD', ring, redis.call('INCR', turn), lane)
    end
    back = back + 1
  end
end
if back > 0 then redis.call('PUBLISH', ARGV[3], 'w' .. ARGV[4]) end
return back
