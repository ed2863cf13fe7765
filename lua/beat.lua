--[[
beat: a pump says that it is alive, and learns who else is and when its partitions need it.

KEYS     1 pumps    zset  pump -> end of its lease, ms
         2.. timers zset  of each partition, in order

ARGV     1 pump     its name
         2 now      ms
         3 lease    ms from now

Answers  {"ALIVE", pumps, dues}  pumps = all that are alive; dues = earliest due time by partition
         {"INVALID", what}       nothing written
]]

--- @include "lib/check"
--- @include "lib/due"

local function beat(keys, args)
  local pumps, pump, now, lease = keys[1], args[1], args[2], args[3]
  if not (is_count(now) and is_count(lease)) then
    return { "INVALID", "now or lease" }
  end
  if not (keys[1] and is_type(pumps, "zset")) then
    return { "INVALID", "key 1 is not a zset" }
  end
  local dues = {}
  for i = 2, #keys do
    if not is_type(keys[i], "zset") then
      return { "INVALID", "key " .. i .. " is not a zset" }
    end
    dues[i - 1] = next_due(keys[i])
  end

  redis.call("ZADD", pumps, tonumber(now) + tonumber(lease), pump)
  redis.call("ZREMRANGEBYSCORE", pumps, "-inf", now)
  return { "ALIVE", redis.call("ZRANGE", pumps, 0, -1), dues }
end
