--[[
repair: store of one entity what its log tells: hash, pools, places in indexes, timers.

The log is never written. What the rules forbid is refused here as by `commit`: a pool over its
limit, a status that the kind does not have.

KEYS     1 meta     hash    of the partition: epoch
         2 timers   zset    timer id -> due time, ms
         3 timer    hash    timer id -> envelope
         4 hash     hash    of the entity
         5 log      stream  of the entity
         6..        zsets   indexes of its kind and of statuses; ARGV names them by position

ARGV     code       version of the code that read the log
         kind, key
         stored     the version that the hash had then; empty when it had none
         events     how many the log had then, and has now; 0: there is neither hash nor log
         at         when it last changed, ms
         status     empty when its kind has no lifecycle
         state      JSON; empty: it is to be read from the log
         count of fields of pools, for each: name, value; others of pools go
         count of indexes, for each: position, 1 = the entity belongs there, 0 = it does not
         count of timers, for each: id, due (empty: stop it), envelope, and the due time that it had
                    then (empty: none)

Answers  {"REPAIRED", count}  how many things were not as they should be, and are now
         {"CODE", version}    the log was read by other code than what is deployed: this version;
                              this and the rest: nothing written
         {"CHANGED"}          something has happened to the entity since
         {"INVALID", what}

A turn that knows what the hash said before is out of date: if that changes, the epoch grows.
]]

--- @include "lib/check"
--- @include "lib/reader"
--- @include "lib/log"
--- @include "lib/counters"
--- @include "lib/epoch"

local REPAIR_NAMES = { "meta", "timers", "timer", false, false }
local REPAIR_TYPES = { "hash", "zset", "hash", "hash", "stream" }

local function read_repair(keys, args)
  local r = reader(keys, args)
  local e = { code = r.text(), kind = r.text(), key = r.text(), stored = r.text() }
  e.events, e.at, e.status, e.state = r.count(), r.count(), r.text(), r.text()
  e.pools, e.indexes, e.timers = read_pairs(r), {}, {}
  for i = 1, r.count() do
    e.indexes[i] = { name = r.shared_key("zset"), belongs = r.count() == 1 }
  end
  for i = 1, r.count() do
    e.timers[i] = { id = r.text(), due = r.text(), message = r.text(), before = r.text() }
  end
  if not r.ended() then
    error("arguments are left over")
  end
  return e
end

-- Raises an error unless each key has the name of its role.
local function require_repair_names(e, keys)
  local wrong = wrong_key(keys, REPAIR_NAMES, REPAIR_TYPES)
  local prefix = prefix_of(keys[1]) or ""
  local own, index = prefix .. e.kind .. ":" .. e.key, prefix .. "index:" .. e.kind
  if wrong or keys[4] ~= own or keys[5] ~= own .. ":log" then
    error(wrong or "the keys of " .. e.kind .. "/" .. e.key .. " are others")
  end
  for _, i in ipairs(e.indexes) do
    if i.name ~= index and string.sub(i.name, 1, #index + 1) ~= index .. ":" then
      error(i.name .. " is not an index of " .. e.kind)
    end
    if i.belongs and i.name ~= index and i.name ~= index .. ":" .. e.status then
      error(i.name .. " is not the index of " .. e.status)
    end
  end
end

-- Raises an error unless the lifecycle has the status.
local function require_status(rules, status)
  local known = status == "" or rules.transitions[status] ~= nil
  for _, after in pairs(rules.transitions) do
    known = known or after[status] ~= nil
  end
  if not known then
    error("no status " .. status)
  end
end

-- Raises an error unless the fields are those of pools within their limits.
local function require_pools(rules, fields)
  local books = {}
  for _, field in ipairs(fields) do
    local pool, what, hold = string.match(field[1], "^pool:([a-z0-9_]+):([a-z]+)(.*)$")
    local rule = pool and rules.pools[pool] or error("no pool has a field " .. field[1])
    local book = books[pool] or { most = rule.most, holds = 0, limit = 0, used = 0 }
    books[pool] = book
    if what == "hold" and string.sub(hold, 1, 1) == ":" then
      book.holds = book.holds + 1
    elseif (what ~= "limit" and what ~= "used") or hold ~= "" then
      error("no pool has a field " .. field[1])
    end
    if not (is_count(field[2]) or (what == "hold" and field[2] == "kept")) then
      error(field[1] .. " cannot be " .. field[2])
    end
    if what ~= "hold" then
      book[what] = tonumber(field[2])
    end
  end
  for pool, book in pairs(books) do
    if book.used ~= book.holds or book.used > book.limit or book.limit > book.most then
      error("pool " .. pool .. " has " .. book.holds .. " of " .. book.limit .. " taken")
    end
  end
end

local function require_repair_timers(e)
  local own = e.kind .. "/" .. e.key .. ":"
  for _, t in ipairs(e.timers) do
    if string.sub(t.id, 1, #own) ~= own then
      error("timer " .. t.id .. " is not one of " .. e.kind .. "/" .. e.key)
    end
    if t.due ~= "" and (t.message == "" or not is_count(t.due)) then
      error("timer " .. t.id .. " has no message or no time")
    end
  end
end

-- True when entity, log and timers are as they were when the log was read.
local function is_unchanged(e, keys)
  if (redis.call("HGET", keys[4], "version") or "") ~= e.stored then
    return false
  end
  if redis.call("XLEN", keys[5]) ~= e.events or not log_is_at(keys[5], e.events) then
    return false
  end
  if e.events == 0 and redis.call("EXISTS", keys[4]) == 1 then
    return false
  end
  for _, t in ipairs(e.timers) do
    local due = redis.call("ZSCORE", keys[2], t.id) or ""
    if due ~= t.before and (due == "" or tonumber(due) ~= tonumber(t.before)) then
      return false
    end
  end
  return true
end

-- Returns what forbids the repair, or nil.
local function refuse_repair(e, keys)
  local rules = RULES[e.kind] or error("no kind " .. e.kind)
  require_repair_names(e, keys)
  if CODE ~= "" and e.code ~= CODE then
    return { "CODE", CODE }
  end
  require_status(rules, e.status)
  require_pools(rules, e.pools)
  require_repair_timers(e)
  if not can_grow(redis.call("HGET", keys[1], "epoch")) then
    error("the epoch cannot grow")
  end
  return not is_unchanged(e, keys) and { "CHANGED" } or nil
end

-- Makes the hash what it should be. Returns how many fields were not.
local function repair_hash(e, hash)
  local version = string.format("%.0f", e.events)
  local told = {
    { "version", version }, { "status", e.status }, { "at", string.format("%.0f", e.at) },
  }
  local known, fields, gone = {}, {}, {}
  if e.state ~= "" then
    told[4], told[5] = { "state", e.state }, { "snapshot", version }
  end
  for _, field in ipairs(e.pools) do
    told[#told + 1] = field
  end
  for _, field in ipairs(told) do
    known[field[1]] = true
    if redis.call("HGET", hash, field[1]) ~= field[2] then
      fields[#fields + 1], fields[#fields + 2] = field[1], field[2]
    end
  end
  for _, name in ipairs(redis.call("HKEYS", hash)) do
    local ours = name == "state" or name == "snapshot" or string.sub(name, 1, 5) == "pool:"
    if ours and not known[name] then
      gone[#gone + 1] = name
    end
  end
  in_chunks("HSET", hash, fields)
  in_chunks("HDEL", hash, gone)
  return #fields / 2 + #gone
end

local function repair_index(e, i)
  local there = redis.call("ZSCORE", i.name, e.key)
  if i.belongs and not (there and tonumber(there) == e.at) then
    redis.call("ZADD", i.name, string.format("%.0f", e.at), e.key)
    return 1
  end
  return i.belongs and 0 or redis.call("ZREM", i.name, e.key)
end

local function repair_timer(t, timers, timer)
  if t.due == "" then
    local gone = redis.call("ZREM", timers, t.id) + redis.call("HDEL", timer, t.id)
    return gone > 0 and 1 or 0
  end
  local right = t.before ~= "" and tonumber(t.before) == tonumber(t.due)
  if right and redis.call("HGET", timer, t.id) == t.message then
    return 0
  end
  redis.call("ZADD", timers, t.due, t.id)
  redis.call("HSET", timer, t.id, t.message)
  return 1
end

local function repair(keys, args)
  local ok, e = pcall(read_repair, keys, args)
  if not ok then
    return { "INVALID", words_of(e) }
  end
  local fine, why = pcall(refuse_repair, e, keys)
  if not fine then
    return { "INVALID", words_of(why) }
  end
  if why then
    return why
  end

  local count = e.events > 0 and repair_hash(e, keys[4]) or 0
  if count > 0 then
    next_epoch(keys[1])
  end
  for _, i in ipairs(e.indexes) do
    count = count + repair_index(e, i)
  end
  for _, t in ipairs(e.timers) do
    count = count + repair_timer(t, keys[2], keys[3])
  end
  return { "REPAIRED", count }
end
