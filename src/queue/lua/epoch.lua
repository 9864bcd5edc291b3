-- The word that dies with the data. KEYS: epoch. ARGV: a new word.
local word = redis.call('GET', KEYS[1])
if not word then
  word = ARGV[1]
  redis.call('SET', KEYS[1], word)
end
return word
