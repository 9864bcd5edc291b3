-- Adds pointers that are handed out at once, unless something waits that may be served.
-- KEYS: pointers, running, ring, busy, paused
-- ARGV: lane limit, lease in ms, then (job, nonce, lane)...
-- Gives the places, from one, of those that were admitted.
local pointers, running, ring, busy = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limit = tonumber(ARGV[1])
local out = {}
if redis.call('EXISTS', KEYS[5], ring) > 0 then return out end
local time = redis.call('TIME')
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2])
local flying, added, leases = {}, {}, {}
for i = 3, #ARGV, 3 do
  local job, nonce, lane = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if not flying[lane] then flying[lane] = tonumber(redis.call('HGET', busy, lane) or '0') end
  if (limit == 0 or flying[lane] < limit) and redis.call('HSETNX', pointers, job, nonce) == 1 then
    flying[lane] = flying[lane] + 1
    added[lane] = (added[lane] or 0) + 1
    leases[#leases + 1], leases[#leases + 2] = deadline, job .. lane
    out[#out + 1] = i / 3
  end
end
if #out > 0 then redis.call('ZADD', running, unpack(leases)) end
for lane, count in pairs(added) do redis.call('HINCRBY', busy, lane, count) end
return out
