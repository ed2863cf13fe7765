--[[
beat: a pump says that it is alive, and learns who else is and when its partitions need it.

KEYS     1 pumps    zset  pump -> end of its lease, ms
         2..        for each partition, in order: timers (zset), meta (hash)

ARGV     1 pump     its name
         2 now      ms
         3 lease    ms from now

Answers  {"ALIVE", pumps, dues, code, epochs}
                            pumps = all that are alive; dues = earliest due time by partition; code
                            = version of what is deployed, or ""; epochs = by partition
         {"INVALID", what}  nothing written
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
  local dues, epochs = {}, {}
  for i = 2, #keys, 2 do
    local timers, meta = keys[i], keys[i + 1]
    if not (meta and is_type(timers, "zset") and is_type(meta, "hash")) then
      return { "INVALID", "keys from " .. i .. " are not timers and meta" }
    end
    dues[i / 2], epochs[i / 2] = next_due(timers), redis.call("HGET", meta, "epoch") or "0"
  end

  redis.call("ZADD", pumps, tonumber(now) + tonumber(lease), pump)
  redis.call("ZREMRANGEBYSCORE", pumps, "-inf", now)
  return { "ALIVE", redis.call("ZRANGE", pumps, 0, -1), dues, CODE, epochs }
end
