-- Marks a budget as used up for some time.
-- KEYS: the budget. ARGV: now in ms or '', a unique word, limit, window in ms, the wait in ms.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local key, limit, window, wait = KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
for i = 1, limit do
  redis.call('ZADD', key, now + wait - window, ARGV[2] .. i)
end
-- Only the newest decide; without this each mark would make the set larger.
redis.call('ZREMRANGEBYRANK', key, 0, -limit - 1)
redis.call('PEXPIRE', key, wait + window)
