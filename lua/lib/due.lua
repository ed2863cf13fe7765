-- When the earliest timer is due, in ms; "" when there is none.
local function next_due(timers)
  return redis.call("ZRANGE", timers, 0, 0, "WITHSCORES")[2] or ""
end
