--[[
pause: let something of a partition rest, or go on: an entity, a kind, all turns, all sending.

What rests is told by a mark. Messages are still accepted, unless it is sending that rests. From the
moment of the mark no turn is stored that was computed without it: the epoch, which grows here, is
part of the fence of `commit`.

KEYS     1 paused  hash  what -> since when, by whom and why, JSON
         2 meta    hash  of the partition: epoch, halted, paused

ARGV     1 what    `kind/key`, `kind`, `*` (turns, timers and calls), or `*!` (sending)
         2 mark    JSON; empty to take the mark away

Answers  {"MARKED", before}  before = the mark that was there, which stays; "" when there was none
         {"GONE", before}    there is no mark (any more)
         {"INVALID", what}   nothing written
]]

--- @include "lib/check"
--- @include "lib/epoch"

local PAUSE_NAMES = { "paused", "meta" }
local PAUSE_TYPES = { "hash", "hash" }
-- Marks that other verbs have to find quickly: a field of `meta` stands for each.
local PAUSE_FIELDS = { ["*"] = "halted", ["*!"] = "paused" }

local function is_pausable(what)
  return PAUSE_FIELDS[what] ~= nil or string.find(what, "^[a-z][a-z0-9_.]*$") ~= nil
    or string.find(what, "^[a-z][a-z0-9_.]*/[A-Za-z0-9_.~@-]+$") ~= nil
end

local function pause(keys, args)
  local paused, meta, what, mark = keys[1], keys[2], args[1] or "", args[2]
  if not (is_pausable(what) and mark) then
    return { "INVALID", "what or mark" }
  end
  local wrong = wrong_key(keys, PAUSE_NAMES, PAUSE_TYPES)
  if wrong then
    return { "INVALID", wrong }
  end
  if not can_begin_epoch(meta) then
    return { "INVALID", "the epoch cannot grow" }
  end
  local before, field = redis.call("HGET", paused, what) or "", PAUSE_FIELDS[what]
  if mark ~= "" and before ~= "" then
    return { "MARKED", before }
  end

  if mark == "" then
    redis.call("HDEL", paused, what)
  else
    redis.call("HSET", paused, what, mark)
  end
  if field and mark == "" then
    redis.call("HDEL", meta, field)
  elseif field then
    redis.call("HSET", meta, field, "1")
  end
  next_epoch(meta)
  return mark == "" and { "GONE", before } or { "MARKED", "" }
end
