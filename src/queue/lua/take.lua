-- Hands pointers out, lane after lane.
-- KEYS: pointers, running, ring, busy, turn, paused
-- ARGV: lane key prefix, lane limit, pointers wanted, lease in ms, expired pointers to put back,
--       rank of those
local pointers, running, ring, busy, turn = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, limit, want = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, member in ipairs(redis.call('ZRANGEBYSCORE', running, '-inf', now, 'LIMIT', 0, ARGV[5])) do
  local job, lane = string.sub(member, 1, 16), string.sub(member, 17)
  redis.call('ZREM', running, member)
  if redis.call('HINCRBY', busy, lane, -1) <= 0 then redis.call('HDEL', busy, lane) end
  if redis.call('HEXISTS', pointers, job) == 1 then redis.call('ZADD', prefix .. lane, ARGV[6], job) end
  if redis.call('EXISTS', prefix .. lane) == 1 and not redis.call('ZSCORE', ring, lane) then
    redis.call('ZADD', ring, redis.call('INCR', turn), lane)
  end
end
local out = {}
if redis.call('EXISTS', KEYS[6]) == 0 then
  local deadline = now + tonumber(ARGV[4])
  while want > 0 do
    local lane = redis.call('ZPOPMIN', ring)[1]
    if not lane then break end
    local flying = tonumber(redis.call('HGET', busy, lane) or '0')
    local share = math.max(1, math.floor(want / (redis.call('ZCARD', ring) + 1)))
    if limit > 0 then share = math.min(share, limit - flying) end
    if share > 0 then
      local got = redis.call('ZPOPMIN', prefix .. lane, share)
      local count = #got / 2
      if count > 0 then
        local jobs, leases = {}, {}
        for i = 1, count do
          local job = got[2 * i - 1]
          jobs[i] = job
          leases[2 * i - 1], leases[2 * i] = deadline, job .. lane
        end
        redis.call('ZADD', running, unpack(leases))
        local nonces = redis.call('HMGET', pointers, unpack(jobs))
        for i = 1, count do
          out[#out + 1], out[#out + 2], out[#out + 3] = jobs[i], nonces[i] or '0', lane
        end
        flying = redis.call('HINCRBY', busy, lane, count)
        want = want - count
      end
      if (limit == 0 or flying < limit) and redis.call('EXISTS', prefix .. lane) == 1 then
        redis.call('ZADD', ring, redis.call('INCR', turn), lane)
      end
    end
  end
end
return { redis.call('HLEN', pointers) - redis.call('ZCARD', running), out }
