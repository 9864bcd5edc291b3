-- Renews the lease of pointers that are in flight.
-- KEYS: pointers, running
-- ARGV: lease in ms, then (job, nonce, lane)...
local time = redis.call('TIME')
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])
for i = 2, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('ZADD', KEYS[2], 'XX', deadline, ARGV[i] .. ARGV[i + 2])
  end
end
return redis.status_reply('OK')
