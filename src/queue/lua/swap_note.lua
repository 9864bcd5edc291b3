-- Writes a note if the old one is what was thought; gives 1 if it did.
-- KEYS: the note. ARGV: whether an old one is meant, the old one, whether there is a new one, the new
-- one, its life in ms.
local old = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if old ~= ARGV[2] then return 0 end
elseif old then
  return 0
end
if ARGV[3] == '1' then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
else
  redis.call('DEL', KEYS[1])
end
return 1
