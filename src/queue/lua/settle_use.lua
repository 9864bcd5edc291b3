-- Says what became of a use: it counts from now on, or not at all.
-- KEYS: one per budget. ARGV: now in ms or '', the name of the use, 1 if it was made.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
for _, key in ipairs(KEYS) do
  if ARGV[3] == '1' then
    redis.call('ZADD', key, 'XX', now, ARGV[2])
  else
    redis.call('ZREM', key, ARGV[2])
  end
end
