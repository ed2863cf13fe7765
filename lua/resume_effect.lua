--[[
resume_effect: an operator lets a parked call to the outside world be tried again, now.

KEYS     1 effects  zset  effect id -> when it may be taken, ms
         2 effect   hash  effect id -> envelope
         3 parked   zset  effect id -> since when it waits for a person, ms

ARGV     1 id       of the effect
         2 now      ms

Answers  {"SENT", listeners}  it is due; listeners = how many runners heard of it
         {"GONE"}             it is not parked; nothing written
         {"INVALID", what}    nothing written
]]

--- @include "lib/check"
--- @include "lib/announce"

local RESUME_NAMES = { "effects", "effect", "parked" }
local RESUME_TYPES = { "zset", "hash", "zset" }

local function resume_effect(keys, args)
  local effects, effect, parked, id, now = keys[1], keys[2], keys[3], args[1], args[2]
  if not (id and is_count(now)) then
    return { "INVALID", "id or now" }
  end
  local wrong = wrong_key(keys, RESUME_NAMES, RESUME_TYPES)
  if wrong then
    return { "INVALID", wrong }
  end
  if not redis.call("ZSCORE", parked, id) or redis.call("HEXISTS", effect, id) == 0 then
    return { "GONE" }
  end

  redis.call("ZREM", parked, id)
  redis.call("ZADD", effects, now, id)
  return { "SENT", announce(effects) }
end
