--[[
repair_effect: mend what is kept of one call to the outside world.

A call without an envelope cannot be made: it goes. One that waits for a runner and for a person,
or for nobody, waits for a person: nobody knows what became of it.

KEYS     1 effects  zset  effect id -> when it may be taken, ms
         2 effect   hash  effect id -> envelope
         3 parked   zset  effect id -> since when it waits for a person, ms
         4 attempt  hash  effect id -> how far it is; see lib/attempt.lua

ARGV     1 id       of the effect
         2 now      ms

Answers  {"REPAIRED", count}  count = 0: nothing was wrong with it; nothing written
         {"INVALID", what}    nothing written
]]

--- @include "lib/check"

local EFFECT_NAMES = { "effects", "effect", "parked", "attempt" }
local EFFECT_TYPES = { "zset", "hash", "zset", "hash" }

local function repair_effect(keys, args)
  local effects, effect, parked, attempt = keys[1], keys[2], keys[3], keys[4]
  local id, now = args[1], args[2]
  if not (id and is_count(now)) then
    return { "INVALID", "id or now" }
  end
  local wrong = wrong_key(keys, EFFECT_NAMES, EFFECT_TYPES)
  if wrong then
    return { "INVALID", wrong }
  end

  if redis.call("HEXISTS", effect, id) == 0 then
    local gone = redis.call("ZREM", effects, id) + redis.call("ZREM", parked, id)
    gone = gone + redis.call("HDEL", attempt, id)
    return { "REPAIRED", gone > 0 and 1 or 0 }
  end
  local waits, rests = redis.call("ZSCORE", effects, id), redis.call("ZSCORE", parked, id)
  if waits and rests then
    redis.call("ZREM", effects, id)
  elseif not (waits or rests) then
    redis.call("ZADD", parked, now, id)
  end
  return { "REPAIRED", (waits and true) == (rests and true) and 1 or 0 }
end
