--[[
renew: a runner says that it still works on the calls that it took.

KEYS     1 effects  zset  effect id -> when it may be taken, ms
         2 attempt  hash  effect id -> how far it is; see lib/attempt.lua

ARGV     1 ends     of the new lease, ms
         2..        pairs: effect id, and the n with which it was taken

Answers  {"RENEWED", count, lost}  lost = ids of the calls that are not the runner's any more
         {"INVALID", what}         nothing written
]]

--- @include "lib/check"
--- @include "lib/attempt"

local RENEW_NAMES = { "effects", "attempt" }
local RENEW_TYPES = { "zset", "hash" }

-- Returns what is wrong with the arguments, or nil.
local function refuse_renewal(args)
  if not is_count(args[1]) then
    return "end of the lease"
  end
  if #args % 2 == 0 then
    return "an id without its n"
  end
  for i = 3, #args, 2 do
    if not is_count(args[i]) then
      return "n of " .. args[i - 1]
    end
  end
  return nil
end

-- True when the call runs, and was taken with this n.
local function is_held(keys, id, n)
  local a = read_attempt(redis.call("HGET", keys[2], id))
  return a.running and a.n == tonumber(n) and redis.call("ZSCORE", keys[1], id) ~= false
end

local function renew(keys, args)
  local wrong = refuse_renewal(args) or wrong_key(keys, RENEW_NAMES, RENEW_TYPES)
  if wrong then
    return { "INVALID", wrong }
  end

  local count, lost = 0, {}
  for i = 2, #args, 2 do
    if is_held(keys, args[i], args[i + 1]) then
      redis.call("ZADD", keys[1], args[1], args[i])
      count = count + 1
    else
      lost[#lost + 1] = args[i]
    end
  end
  return { "RENEWED", count, lost }
end
