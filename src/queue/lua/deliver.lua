-- Adds pointers; a newer nonce replaces an older pointer.
-- KEYS: pointers, running, ring, busy, turn
-- ARGV: lane key prefix, lane limit, signal channel, queue, then (job, nonce, rank, lane)...
local pointers, running, ring, busy, turn = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, limit = ARGV[1], tonumber(ARGV[2])
local added, ringed = 0, nil
for i = 5, #ARGV, 4 do
  local job, nonce, rank, lane = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local known = redis.call('HGET', pointers, job)
  if not known or tonumber(known) < tonumber(nonce) then
    if known and redis.call('ZREM', running, job .. lane) == 1 then
      if redis.call('HINCRBY', busy, lane, -1) <= 0 then redis.call('HDEL', busy, lane) end
      ringed = nil
    end
    redis.call('HSET', pointers, job, nonce)
    redis.call('ZADD', prefix .. lane, rank, job)
    added = added + 1
    if lane ~= ringed then
      local open = limit == 0 or tonumber(redis.call('HGET', busy, lane) or '0') < limit
      if open and not redis.call('ZSCORE', ring, lane) then
        redis.call('ZADD', ring, redis.call('INCR', turn), lane)
      end
      ringed = lane
    end
  end
end
if added > 0 then redis.call('PUBLISH', ARGV[3], 'w' .. ARGV[4]) end
return added
