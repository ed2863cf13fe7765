--[[
admit: let a caller's requests in, as many as its rate allows, on all servers together.

A bucket holds the requests of one second and fills by itself. A full one is not kept.

KEYS     1 bucket   hash: tokens, at (ms)

ARGV     1 now      ms
         2 rate     requests a second, a number above 0
         3 wanted   requests

Answers  {"ADMITTED", n}    n requests may pass, at least one
         {"EMPTY", ms}      until there is one
         {"INVALID", what}  nothing written
]]

--- @include "lib/check"

local function admit(keys, args)
  local bucket, rate = keys[1], tonumber(args[2])
  if not (is_count(args[1]) and is_count(args[3]) and rate and rate > 0) then
    return { "INVALID", "now, rate or wanted" }
  end
  local now, wanted = tonumber(args[1]), tonumber(args[3])
  if not (bucket and is_type(bucket, "hash")) then
    return { "INVALID", "key 1 is not a hash" }
  end
  local most = math.max(1, rate)
  local found = redis.call("HMGET", bucket, "tokens", "at")
  local left, at = tonumber(found[1]) or most, tonumber(found[2]) or now
  -- The clocks of servers differ a little: one that is behind brings no tokens, and takes none.
  left = math.min(most, left + math.max(0, now - at) * rate / 1000)
  local admitted = math.min(wanted, math.floor(left))
  if admitted < 1 then
    return { "EMPTY", math.ceil((1 - left) * 1000 / rate) }
  end
  local rest = string.format("%.6f", left - admitted)
  redis.call("HSET", bucket, "tokens", rest, "at", string.format("%d", math.max(at, now)))
  redis.call("PEXPIRE", bucket, math.ceil(2000 * math.max(1, 1 / rate)))
  return { "ADMITTED", admitted }
end
