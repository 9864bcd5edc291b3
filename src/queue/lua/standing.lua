-- How budgets stand: for each the uses within the window, and the ms until one more is left, or -1.
-- KEYS: one per budget. ARGV: now in ms or '', then (limit, window in ms)...
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local out = {}
for i, key in ipairs(KEYS) do
  local limit, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local used = redis.call('ZCOUNT', key, '(' .. (now - window), '+inf')
  local next_in = -1
  if used > 0 then
    local place = -math.min(used, math.max(limit, 1))
    local one = redis.call('ZRANGE', key, place, place, 'WITHSCORES')
    next_in = math.max(0, tonumber(one[2]) + window - now)
  end
  out[2 * i - 1], out[2 * i] = math.min(used, limit), next_in
end
return out
