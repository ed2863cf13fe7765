--[[
resume_effect: an operator lets a call to the outside world be tried now: one that is parked, or one
that waits for its next attempt.

KEYS     1 effects  zset  effect id -> when it may be taken, ms
         2 effect   hash  effect id -> envelope
         3 parked   zset  effect id -> since when it waits for a person, ms
         4 attempt  hash  effect id -> how far it is; see lib/attempt.lua

ARGV     1 id       of the effect
         2 now      ms

Answers  {"SENT", listeners}  it is due; listeners = how many runners heard of it
         {"GONE"}             there is no such call, or a runner has it; nothing written
         {"INVALID", what}    nothing written
]]

--- @include "lib/check"
--- @include "lib/announce"
--- @include "lib/attempt"

local RESUME_NAMES = { "effects", "effect", "parked", "attempt" }
local RESUME_TYPES = { "zset", "hash", "zset", "hash" }

-- True for a call that waits. The time of one that runs is the end of its lease: it must stay.
local function may_resume(keys, id)
  local parked = redis.call("ZSCORE", keys[3], id)
  local waits = redis.call("ZSCORE", keys[1], id)
  return (parked or waits)
    and redis.call("HEXISTS", keys[2], id) == 1
    and not read_attempt(redis.call("HGET", keys[4], id)).running
end

local function resume_effect(keys, args)
  local id, now = args[1], args[2]
  if not (id and is_count(now)) then
    return { "INVALID", "id or now" }
  end
  local wrong = wrong_key(keys, RESUME_NAMES, RESUME_TYPES)
  if wrong then
    return { "INVALID", wrong }
  end
  if not may_resume(keys, id) then
    return { "GONE" }
  end

  redis.call("ZREM", keys[3], id)
  redis.call("ZADD", keys[1], now, id)
  return { "SENT", announce(keys[1]) }
end
