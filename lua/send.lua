--[[
send: put a command from outside into the inbox of its partition, once.

KEYS     1 inbox    stream  envelopes waiting for a turn
         2 meta     hash    of the partition
         3 result   string  of this command: pending, then what became of it
         4 idem     string  of the idempotency key; the result's key when there is none
         5 timers   zset    timer id -> due time, ms
         6 timer    hash    timer id -> envelope
         7 pumps    zset    pump -> end of its lease, ms
         8 wake     string  exists while somebody is about to start a pump

ARGV     1 envelope     JSON
         2 id           of the command
         3 now          ms
         4 backlog      how many envelopes may wait
         5 fingerprint  of the request; empty without an idempotency key
         6 ttl          of the idempotency key, ms
         7 due          ms; empty to send at once

Answers  {"SENT", wake}               wake = 1: no pump is alive, the caller should start one
         {"DUPLICATE", wake, result, id}  sent before; what became of it
         {"MISMATCH"}                 the idempotency key came with another request
         {"OVERLOADED", waiting}      nothing written
         {"PAUSED"}                   nothing written
         {"INVALID", what}            nothing written
]]

--- @include "lib/check"
--- @include "lib/wake"

local function send(keys, args)
  local inbox, meta, result, idem = keys[1], keys[2], keys[3], keys[4]
  local timers, timer, pumps, wake = keys[5], keys[6], keys[7], keys[8]
  local envelope, id, now, backlog = args[1], args[2], args[3], args[4]
  local fingerprint, ttl, due = args[5] or "", args[6] or "", args[7] or ""

  if not (is_count(now) and is_count(backlog)) then
    return { "INVALID", "now or backlog" }
  end
  if due ~= "" and not (is_count(due) and is_type(timers, "zset") and is_type(timer, "hash")) then
    return { "INVALID", "due" }
  end
  if fingerprint ~= "" then
    if not is_count(ttl) or tonumber(ttl) == 0 then
      return { "INVALID", "ttl" }
    end
    local known = redis.call("GET", idem)
    if known then
      local seen, first = string.match(known, "^(%S+) (.*)$")
      if seen ~= fingerprint then
        return { "MISMATCH" }
      end
      -- The result of a first request may be gone already: then the request is new again.
      local became = first == id and redis.call("GET", result)
      if became then
        return { "DUPLICATE", should_wake(pumps, wake, now), became, first }
      end
    end
  end
  local became = redis.call("GET", result)
  if became then
    return { "DUPLICATE", should_wake(pumps, wake, now), became, id }
  end
  if redis.call("HGET", meta, "paused") then
    return { "PAUSED" }
  end
  local waiting = redis.call("XLEN", inbox)
  if waiting >= tonumber(backlog) then
    return { "OVERLOADED", waiting }
  end

  if due == "" then
    redis.call("XADD", inbox, "*", "message", envelope)
  else
    redis.call("ZADD", timers, due, id)
    redis.call("HSET", timer, id, envelope)
  end
  redis.call("SET", result, '{"status":"pending"}')
  if fingerprint ~= "" then
    redis.call("SET", idem, fingerprint .. " " .. id, "PX", ttl)
  end
  return { "SENT", should_wake(pumps, wake, now) }
end
