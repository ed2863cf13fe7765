--[[
settle: what became of one attempt at a call to the outside world, once.

KEYS     1 effects   zset    effect id -> when it may be taken, ms
         2 effect    hash    effect id -> envelope
         3 attempt   hash    effect id -> how far it is; see lib/attempt.lua
         4 parked    zset    effect id -> since when it waits for a person, ms
         5 inbox     stream  envelopes waiting for a turn
         6 dead      stream  dead letters
         7 pumps     zset    pump -> end of its lease, ms
         8 wake      string  exists while somebody is about to start a pump
         9 counters  hash    name -> whole number

ARGV     id, n, how, now    n = with which it was taken, 0 for a call that never was; now in ms
         and, as `how` says:
           done             answer, an envelope for the inbox; empty when nobody waits for it
           again            due, ms, and note: try it once more then
           back             the same, of an attempt that was not begun: it does not count
           park             note: a person has to decide; resume_effect makes it due
           bury             count of fields, the fields of a dead letter: it failed for good
         count of counters, for each: name, number to add

Answers  {"SETTLED", wake}  wake = 1: no pump is alive, the caller should start one
         {"GONE"}           the call is settled, or somebody else took it; nothing written
         {"INVALID", what}  nothing written

`done` and `bury` end a call whether or not it runs, so an operator who knows the outcome can say
so. The others are for the runner that has it.
]]

--- @include "lib/check"
--- @include "lib/reader"
--- @include "lib/wake"
--- @include "lib/attempt"
--- @include "lib/counters"

local SETTLE_NAMES = {
  "effects", "effect", "attempt", "parked", "inbox", "dead", false, false, "counters",
}
local SETTLE_TYPES = {
  "zset", "hash", "hash", "zset", "stream", "stream", "zset", "string", "hash",
}

-- How the words of each `how` are read.
local SETTLE_READS = {
  done = function(s, r)
    s.answer = r.text()
  end,
  again = function(s, r)
    s.due, s.note = r.count(), r.text()
  end,
  park = function(s, r)
    s.note = r.text()
  end,
  bury = function(s, r)
    s.fields = read_span(r)
  end,
}
SETTLE_READS.back = SETTLE_READS.again

local function read_settlement(keys, args)
  local r = reader(keys, args)
  local s = { id = r.text(), n = r.count(), how = r.text(), now = r.count() }
  local read = SETTLE_READS[s.how] or error("no way to settle " .. s.how)
  read(s, r)
  s.counters = read_counters(r)
  if not r.ended() then
    error("arguments are left over")
  end
  return s
end

-- Raises an error unless all that may be written to has the name and the type of its role.
local function require_settle_keys(keys)
  local wrong = wrong_key(keys, SETTLE_NAMES, SETTLE_TYPES)
  local _, namespace = prefix_of(keys[1])
  if not wrong and (keys[7] ~= namespace .. ":pumps" or keys[8] ~= namespace .. ":wake") then
    wrong = "keys of another namespace"
  end
  if wrong then
    error(wrong)
  end
end

-- True when this is the call as the caller knows it, and the caller may settle it so.
local function may_settle(s, a, effect)
  local ends = s.how == "done" or s.how == "bury"
  return a.n == s.n and (ends or a.running) and redis.call("HEXISTS", effect, s.id) == 1
end

local function end_call(s, keys)
  redis.call("ZREM", keys[1], s.id)
  redis.call("HDEL", keys[2], s.id)
  redis.call("HDEL", keys[3], s.id)
  redis.call("ZREM", keys[4], s.id)
end

-- The call waits: for its time, or for a person.
local function put_back(s, a, keys)
  if s.how == "back" and a.made > 0 then
    a.made = a.made - 1
  end
  a.running, a.note = false, s.note
  write_attempt(keys[3], s.id, a)
  if s.how == "park" then
    redis.call("ZREM", keys[1], s.id)
    redis.call("ZADD", keys[4], string.format("%.0f", s.now), s.id)
  else
    redis.call("ZADD", keys[1], string.format("%.0f", s.due), s.id)
  end
end

local function settle(keys, args)
  local ok, s = pcall(read_settlement, keys, args)
  if not ok then
    return { "INVALID", words_of(s) }
  end
  local fine, why = pcall(require_settle_keys, keys)
  if not fine then
    return { "INVALID", words_of(why) }
  end
  local a = read_attempt(redis.call("HGET", keys[3], s.id))
  if not may_settle(s, a, keys[2]) then
    return { "GONE" }
  end
  fine, why = pcall(require_counters, s.counters, keys[9])
  if not fine then
    return { "INVALID", words_of(why) }
  end

  local wake = 0
  if s.how == "done" or s.how == "bury" then
    end_call(s, keys)
  else
    put_back(s, a, keys)
  end
  if s.fields then
    redis.call("XADD", keys[6], "*", unpack(args, s.fields[1], s.fields[2]))
  end
  if s.answer and s.answer ~= "" then
    redis.call("XADD", keys[5], "*", "message", s.answer)
    wake = should_wake(keys[7], keys[8], string.format("%.0f", s.now))
  end
  write_counters(s.counters, keys[9])
  return { "SETTLED", wake }
end
