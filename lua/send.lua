--[[
send: put a command from outside into the inbox of its partition, once.

KEYS     1 inbox    stream  envelopes waiting for a turn
         2 meta     hash    of the partition: paused, held
         3 result   string  of this command: pending, then what became of it
         4 idem     string  of the idempotency key; the result's key when there is none
         5 timers   zset    timer id -> due time, ms
         6 timer    hash    timer id -> envelope
         7 pumps    zset    pump -> end of its lease, ms
         8 wake     string  exists while somebody is about to start a pump

ARGV     1 envelope     JSON
         2 id           of the command
         3 now          ms
         4 backlog      how many envelopes may wait, those that are held back included
         5 fingerprint  of the request; empty without an idempotency key
         6 ttl          of the idempotency key, ms
         7 due          ms; empty to send at once

Answers  {"SENT", wake}               wake = 1: no pump is alive, the caller should start one
         {"DUPLICATE", wake, result, first}
                                      sent before, as `first`; what became of it, "" when `first`
                                      is not this id: its result is another key, read it there
         {"MISMATCH"}                 the idempotency key came with another request; these and
         {"OVERLOADED", waiting}      the rest: nothing written
         {"PAUSED"}
         {"INVALID", what}

A request with a known idempotency key whose result is gone is a new one.
]]

--- @include "lib/check"
--- @include "lib/wake"

local SEND_NAMES = { "inbox", "meta", false, false, "timers", "timer" }
local SEND_TYPES = { "stream", "hash", "string", "string", "zset", "hash", "zset", "string" }

-- True when the keys whose names are not fixed have the names of their roles.
local function has_own_names(keys, id)
  local prefix, namespace = prefix_of(keys[1])
  local idem = prefix .. "idem:"
  return keys[3] == prefix .. "result:" .. id
    and (keys[4] == keys[3] or string.sub(keys[4], 1, #idem) == idem)
    and keys[7] == namespace .. ":pumps"
    and keys[8] == namespace .. ":wake"
end

-- Returns what is wrong with a call, or nil.
local function refuse_send(keys, args)
  local fingerprint, ttl, due = args[5] or "", args[6] or "", args[7] or ""
  if not (is_count(args[3]) and is_count(args[4])) then
    return "now or backlog"
  end
  if due ~= "" and not is_count(due) then
    return "due"
  end
  if fingerprint ~= "" and not string.find(fingerprint, "^%S+$") then
    return "fingerprint"
  end
  if fingerprint ~= "" and (not is_count(ttl) or ttl == "0") then
    return "ttl"
  end
  local wrong = wrong_key(keys, SEND_NAMES, SEND_TYPES)
  if not wrong and not has_own_names(keys, args[2]) then
    return "keys of another command or namespace"
  end
  return wrong
end

local function send(keys, args)
  local inbox, meta, result, idem = keys[1], keys[2], keys[3], keys[4]
  local timers, timer, pumps, wake = keys[5], keys[6], keys[7], keys[8]
  local envelope, id, now, backlog = args[1], args[2], args[3], args[4]
  local fingerprint, ttl, due = args[5] or "", args[6] or "", args[7] or ""

  local wrong = refuse_send(keys, args)
  if wrong then
    return { "INVALID", wrong }
  end
  local known = fingerprint ~= "" and redis.call("GET", idem)
  if known then
    local seen, first = string.match(known, "^(%S+) (.*)$")
    if seen ~= fingerprint then
      return { "MISMATCH" }
    end
    if first ~= id then
      return { "DUPLICATE", should_wake(pumps, wake, now), "", first }
    end
  end
  local became = redis.call("GET", result)
  if became then
    return { "DUPLICATE", should_wake(pumps, wake, now), became, id }
  end
  local paused, held = unpack(redis.call("HMGET", meta, "paused", "held"))
  if paused then
    return { "PAUSED" }
  end
  local waiting = redis.call("XLEN", inbox) + (tonumber(held) or 0)
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
