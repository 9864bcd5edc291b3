-- Renews the lease of pointers that are in flight.
-- KEYS: pointers, running, busy
-- ARGV: lease in ms, whether unknown jobs get their pointer back, then (job, nonce, lane)...
local time = redis.call('TIME')
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])
for i = 3, #ARGV, 3 do
  local job, nonce, lane = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', KEYS[1], job) == nonce then
    redis.call('ZADD', KEYS[2], 'XX', deadline, job .. lane)
  elseif ARGV[2] == '1' and redis.call('HSETNX', KEYS[1], job, nonce) == 1 then
    redis.call('ZADD', KEYS[2], deadline, job .. lane)
    redis.call('HINCRBY', KEYS[3], lane, 1)
  end
end
return redis.status_reply('OK')
