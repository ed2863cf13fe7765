--- @include "lib/counters"
-- The epoch of a partition grows when what may happen there changes otherwise than by a message:
-- something is paused or goes on, or a turn took messages that were held back. A turn that was
-- computed in another epoch is out of date.
local function can_begin_epoch(meta)
  return can_grow(redis.call("HGET", meta, "epoch"))
end

local function next_epoch(meta)
  redis.call("HINCRBY", meta, "epoch", 1)
end
