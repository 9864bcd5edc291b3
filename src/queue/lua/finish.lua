-- Forgets pointers, unless a newer nonce replaced them.
-- KEYS: pointers, running, ring, busy, turn
-- ARGV: lane key prefix, lane limit, signal channel, queue, then (job, nonce, lane)...
local pointers, running, ring, busy, turn = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, limit = ARGV[1], tonumber(ARGV[2])
local opened = false
for i = 5, #ARGV, 3 do
  local job, nonce, lane = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', pointers, job) == nonce then
    redis.call('HDEL', pointers, job)
    if redis.call('ZREM', running, job .. lane) == 1 then
      local flying = redis.call('HINCRBY', busy, lane, -1)
      if flying <= 0 then redis.call('HDEL', busy, lane) end
      if limit > 0 and flying < limit and redis.call('EXISTS', prefix .. lane) == 1
        and not redis.call('ZSCORE', ring, lane) then
        redis.call('ZADD', ring, redis.call('INCR', turn), lane)
        opened = true
      end
    else
      redis.call('ZREM', prefix .. lane, job)
    end
  end
end
if opened then redis.call('PUBLISH', ARGV[3], 'w' .. ARGV[4]) end
return redis.status_reply('OK')
