-- 1 when no pump is alive and nobody else is starting one: the caller should. The mark ends by
-- itself, so that a caller that dies leaves the next one its turn.
local function should_wake(pumps, wake, now)
  if redis.call("ZCOUNT", pumps, now, "+inf") > 0 then
    return 0
  end
  return redis.call("SET", wake, "1", "NX", "PX", 1000) and 1 or 0
end
