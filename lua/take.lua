--[[
take: a runner gets the calls to the outside world that are due, the earliest first; none while the
partition is halted.

Each is the runner's until its lease ends, unless it renews it. A call whose lease has ended is due
again: its runner was lost, and nobody knows whether the call was made.

KEYS     1 effects  zset  effect id -> when it may be taken, ms
         2 effect   hash  effect id -> envelope
         3 attempt  hash  effect id -> how far it is; see lib/attempt.lua
         4 meta     hash  of the partition: halted

ARGV     1 now      ms
         2 lease    ms from now
         3 limit    how many at most

Answers  {"TAKEN", next, and for each call: id, envelope, n, made, lost, note}
                              next = when the earliest of all may be taken; "" when none is left,
                              or none may go;
                              n = the runner's proof that it has the call; made = number of this
                              attempt, from 1; lost = 1 when the runner before was lost, else 0;
                              note = what the last attempt that ended left, or ""
         {"INVALID", what}    nothing written

A call without an envelope is dropped.
]]

--- @include "lib/check"
--- @include "lib/due"
--- @include "lib/attempt"

local TAKE_NAMES = { "effects", "effect", "attempt", "meta" }
local TAKE_TYPES = { "zset", "hash", "hash", "hash" }

-- Adds the words of one call to the answer.
local function take_call(answer, keys, id, ends)
  local envelope = redis.call("HGET", keys[2], id)
  if not envelope then
    redis.call("ZREM", keys[1], id)
    redis.call("HDEL", keys[3], id)
    return
  end
  local a = read_attempt(redis.call("HGET", keys[3], id))
  local lost = a.running and 1 or 0
  a.n, a.made, a.running = a.n + 1, a.made + 1, true
  write_attempt(keys[3], id, a)
  redis.call("ZADD", keys[1], ends, id)
  for _, word in ipairs({ id, envelope, a.n, a.made, lost, a.note }) do
    answer[#answer + 1] = word
  end
end

local function take(keys, args)
  local effects, now, lease, limit = keys[1], args[1], args[2], args[3]
  if not (is_count(now) and is_count(lease) and is_count(limit)) then
    return { "INVALID", "now, lease or limit" }
  end
  local wrong = wrong_key(keys, TAKE_NAMES, TAKE_TYPES)
  if wrong then
    return { "INVALID", wrong }
  end

  if redis.call("HEXISTS", keys[4], "halted") == 1 then
    return { "TAKEN", "" }
  end
  local ends = string.format("%.0f", tonumber(now) + tonumber(lease))
  local answer = { "TAKEN", "" }
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", effects, "-inf", now, "LIMIT", 0, limit)) do
    take_call(answer, keys, id, ends)
  end
  answer[2] = next_due(effects)
  return answer
end
