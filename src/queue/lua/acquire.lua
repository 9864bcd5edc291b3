-- Takes one use of every budget or of none; gives 0, or the ms to wait.
-- KEYS: one per budget. ARGV: now in ms or '', a name for the use, then (limit, window in ms)...
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local wait = 0
for i, key in ipairs(KEYS) do
  local limit, window = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  local used = redis.call('ZCARD', key)
  if limit < 1 then
    wait = math.max(wait, window)
  elseif used >= limit then
    local oldest = redis.call('ZRANGE', key, used - limit, used - limit, 'WITHSCORES')
    wait = math.max(wait, math.max(1, tonumber(oldest[2]) + window - now))
  end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  redis.call('ZADD', key, now, ARGV[2])
  redis.call('PEXPIRE', key, 2 * ARGV[2 * i + 2])
end
return 0
