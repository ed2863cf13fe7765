--[[
breaker: report how calls to a target went, and ask whether more may be made.

closed     calls pass. A success ends the row of failures; a row of `limit` opens it.
open       no call passes until `reset` ms have gone by; then it is half-open.
half-open  so many `probes` may be out at a time. A success closes it, a failure opens it again. A
           probe of which nothing is heard loses its place when its lease ends.

KEYS     1 breaker    hash  of one target: state, failures (in a row), until (it is open), probes
                            (that are out), probe_until (end of their lease), since, target

ARGV     1 now        ms
         2 wanted     how many calls the caller would like to make
         3 succeeded  how many calls it made that the target answered
         4 failed     how many that the target did not; they count after those that succeeded
         5 limit      of failures in a row, from 1
         6 reset      ms
         7 probes     from 1
         8 lease      of a probe, ms

Answers  {"BREAKER", state, granted, retry, failures}
                            granted = how many of the wanted calls may be made; retry = when to
                            ask for the rest, ms, or "" when all may be made; failures in a row
         {"INVALID", what}  nothing written

What is reported while it is open is about calls from before: it changes nothing.
]]

--- @include "lib/check"

local BREAKER_FIELDS = {
  "state", "failures", "until", "probes", "probe_until", "since", "target",
}
local BREAKER_ARGS = { "now", "wanted", "succeeded", "failed", "limit", "reset", "probes", "lease" }

-- Returns the arguments by their names, or nil and what is wrong.
local function read_breaker_args(args)
  local named = {}
  for i, name in ipairs(BREAKER_ARGS) do
    if not is_count(args[i]) then
      return nil, name
    end
    named[name] = tonumber(args[i])
  end
  if #args > #BREAKER_ARGS or named.limit == 0 or named.probes == 0 then
    return nil, "limit, probes or too many words"
  end
  return named
end

local function read_breaker(key, target, now)
  local stored = redis.call("HMGET", key, unpack(BREAKER_FIELDS))
  return {
    state = stored[1] or "closed",
    failures = tonumber(stored[2] or "") or 0,
    ["until"] = tonumber(stored[3] or "") or 0,
    probes = tonumber(stored[4] or "") or 0,
    probe_until = tonumber(stored[5] or "") or 0,
    since = tonumber(stored[6] or "") or now,
    target = target,
  }, stored
end

local function change_state(b, state, now)
  b.state, b.since = state, now
  b.probes, b.probe_until = 0, 0
end

local function count_reports(b, a)
  if b.state == "open" then
    return
  end
  if a.succeeded > 0 then
    b.failures = 0
    if b.state == "half-open" then
      change_state(b, "closed", a.now)
    end
  end
  b.failures = b.failures + a.failed
  if a.failed > 0 and (b.state == "half-open" or b.failures >= a.limit) then
    change_state(b, "open", a.now)
    b["until"] = a.now + a.reset
  end
end

-- Returns how many calls may be made, and when to ask for the rest.
local function grant(b, a)
  if b.state == "open" and a.now >= b["until"] then
    change_state(b, "half-open", a.now)
  end
  if b.state == "open" then
    return 0, b["until"]
  end
  if b.state == "closed" then
    return a.wanted, nil
  end
  if a.now >= b.probe_until then
    b.probes = 0
  end
  local granted = math.max(0, math.min(a.wanted, a.probes - b.probes))
  if granted > 0 then
    b.probes, b.probe_until = b.probes + granted, a.now + a.lease
  end
  return granted, granted < a.wanted and b.probe_until or nil
end

-- Writes what changed: who only asks writes nothing.
local function write_breaker(key, b, stored)
  local fields = {}
  for i, name in ipairs(BREAKER_FIELDS) do
    local value = type(b[name]) == "number" and string.format("%.0f", b[name]) or b[name]
    if value ~= stored[i] then
      fields[#fields + 1], fields[#fields + 2] = name, value
    end
  end
  in_chunks("HSET", key, fields)
end

local function breaker(keys, args)
  local key = keys[1] or ""
  local a, what = read_breaker_args(args)
  if not a then
    return { "INVALID", what }
  end
  local target = string.match(key, "^[^{}:]+:breaker:([^{}:]+)$")
  if not (target and is_type(key, "hash")) then
    return { "INVALID", "key 1 is not the breaker of a target" }
  end

  local b, stored = read_breaker(key, target, a.now)
  count_reports(b, a)
  local granted, retry = grant(b, a)
  write_breaker(key, b, stored)
  retry = retry and string.format("%.0f", retry) or ""
  return { "BREAKER", b.state, granted, retry, b.failures }
end
