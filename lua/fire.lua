--[[
fire: move the timers that are due into the inbox, the earliest first; none while the partition is
halted.

KEYS     1 timers  zset    timer id -> due time, ms
         2 timer   hash    timer id -> envelope
         3 inbox   stream  envelopes waiting for a turn
         4 meta    hash    of the partition: halted

ARGV     1 now     ms
         2 limit   how many at most

Answers  {"FIRED", count, next}  next = due time of the earliest that is left; "" when none is, or
                                 none may go
         {"INVALID", what}       nothing written
]]

--- @include "lib/check"
--- @include "lib/due"

local FIRE_NAMES = { "timers", "timer", "inbox", "meta" }
local FIRE_TYPES = { "zset", "hash", "stream", "hash" }

local function fire(keys, args)
  local timers, timer, inbox = keys[1], keys[2], keys[3]
  local now, limit = args[1], args[2]
  if not (is_count(now) and is_count(limit)) then
    return { "INVALID", "now or limit" }
  end
  local wrong = wrong_key(keys, FIRE_NAMES, FIRE_TYPES)
  if wrong then
    return { "INVALID", wrong }
  end

  if redis.call("HEXISTS", keys[4], "halted") == 1 then
    return { "FIRED", 0, "" }
  end
  local due = redis.call("ZRANGEBYSCORE", timers, "-inf", now, "LIMIT", 0, limit)
  for _, id in ipairs(due) do
    local envelope = redis.call("HGET", timer, id)
    if envelope then
      redis.call("XADD", inbox, "*", "message", envelope)
    end
    redis.call("ZREM", timers, id)
    redis.call("HDEL", timer, id)
  end
  return { "FIRED", #due, next_due(timers) }
end
