--[[
commit: store all that one turn changed, or nothing.

First every check, then only operations that cannot fail. The cursor is the fence, with the epoch: a
turn that started from others than the stored ones was computed by somebody who is out of date.

KEYS     1 meta      hash    of the partition: cursor, epoch, barrier, halted, held
         2 inbox     stream  the partition's own
         3 dead      stream  dead letters
         4 feed      stream  one line per event, capped
         5 timers    zset    timer id -> due time, ms
         6 timer     hash    timer id -> envelope
         7 effects   zset    effect id -> when it may be taken, ms
         8 effect    hash    effect id -> envelope
         9 attention hash    address of an entity -> why somebody has to look at it, JSON
         10 counters hash    name -> whole number
         11 held     zset    address -> since when messages for it are held back, ms
         12..        keys that ARGV names by position: entities, logs, indexes, results, inboxes,
                     lists of messages that are held back;
                     each has to have the name of its role, so no key can be taken for another

ARGV     from, upto        cursor before and after; equal when nothing was taken
         epoch             as it was found with the cursor
         now               ms
         ttl               of results, ms
         feed cap          how many lines the feed keeps, about
         code              version of the code that computed the turn
         count of entities, and for each:
           hash, log       positions of its keys
           index           position of the index of its kind
           old, new index  positions of the indexes of its status before and after; 0 for none
           kind, key, expected version
           state           JSON; empty when it is not written this time
           count of statuses, each status that it went through
           count of pool steps, for each: pool, verb, hold, value
           count of events, for each: count of fields, the fields (the first is `type`, its name)
         count of messages, for each: position of the inbox, envelope
         count of timers, for each: id, due (empty: stop it), envelope
         count of results, for each: position, JSON, channel (empty: nobody waits)
         count of dead letters, for each: count of fields, the fields
         count of effects, for each: id, envelope; they may be taken at once
         count of entries of attention, for each: address, JSON (empty: delete it)
         count of counters, for each: name, number to add
         count of lists that messages are released from, for each: position, kind, key, how many of
                           the first; the turn has handled them, and the epoch grows
         count of messages to hold back, for each: position of the list, kind, key, envelope

Answers  {"OK", next due, barrier, listeners}
                                       barrier = id of the last message to the own inbox, or "";
                                       listeners = how many heard of the effects, "" without any
         {"FENCED", cursor, epoch}     this and the rest: nothing written
         {"HALTED"}                    the partition takes no turns
         {"CODE", version}             computed by other code than what is deployed: this version
         {"VERSION", entity, actual}
         {"TRANSITION", entity, from, to}
         {"POOL", entity, why}
         {"INVALID", what}
]]

--- @include "lib/check"
--- @include "lib/reader"
--- @include "lib/log"
--- @include "lib/pool"
--- @include "lib/due"
--- @include "lib/counters"
--- @include "lib/announce"
--- @include "lib/epoch"
--- @include "lib/held"

local FIXED_NAMES = {
  "meta", "inbox", "dead", "feed", "timers", "timer", "effects", "effect", "attention", "counters",
  "held",
}

local function read_events(r, args)
  local spans = read_spans(r)
  for _, span in ipairs(spans) do
    if args[span[1]] ~= "type" then
      error("the first field of an event is its type")
    end
  end
  return spans
end

local function read_entity(r, args)
  -- The types of its hash and log are checked by reading them.
  local e = { hash = r.key(), log = r.key(), index = r.shared_key("zset") }
  e.old, e.new = r.optional_key("zset"), r.optional_key("zset")
  e.kind, e.key, e.expected, e.state = r.text(), r.text(), r.count(), r.text()
  e.statuses, e.steps = {}, {}
  for i = 1, r.count() do
    e.statuses[i] = r.text()
  end
  for i = 1, r.count() do
    e.steps[i] = { r.text(), r.text(), r.text(), r.text() }
  end
  e.events = read_events(r, args)
  return e
end

local function read_all(keys, args)
  local r = reader(keys, args)
  local turn = { from = r.text(), upto = r.text(), epoch = r.text() }
  turn.now, turn.ttl, turn.cap = r.text(), r.text(), r.text()
  turn.code = r.text()
  turn.entities, turn.messages, turn.timers, turn.results = {}, {}, {}, {}
  for i = 1, r.count() do
    turn.entities[i] = read_entity(r, args)
  end
  for i = 1, r.count() do
    turn.messages[i] = { r.shared_key("stream"), r.text() }
  end
  for i = 1, r.count() do
    turn.timers[i] = { r.text(), r.text(), r.text() }
  end
  for i = 1, r.count() do
    turn.results[i] = { r.key(), r.text(), r.text() }
  end
  turn.dead = read_spans(r)
  turn.effects = read_pairs(r)
  turn.attention = read_pairs(r)
  turn.counters = read_counters(r)
  turn.released, turn.held = read_released(r), read_held(r)
  if not r.ended() then
    error("arguments are left over")
  end
  return turn
end

-- The name of a status's index, nil when there is no status.
local function status_index(e, status)
  return status ~= "" and e.index .. ":" .. status or nil
end

-- Raises an error unless each key has the name of its role. `prefix` is the partition's.
local function require_names(turn, keys, prefix)
  for i, name in ipairs(FIXED_NAMES) do
    if keys[i] ~= prefix .. name then
      error("key " .. i .. " is not the " .. name .. " of a partition")
    end
  end
  for _, e in ipairs(turn.entities) do
    local own = prefix .. e.kind .. ":" .. e.key
    if e.hash ~= own or e.log ~= own .. ":log" or e.index ~= prefix .. "index:" .. e.kind then
      error("the keys of " .. e.kind .. "/" .. e.key .. " are others")
    end
  end
  for _, m in ipairs(turn.messages) do
    if not string.find(m[1], "^{[^{}]+:%d+}:inbox$") then
      error(m[1] .. " is not an inbox")
    end
  end
  require_held_names(turn.released, prefix)
  require_held_names(turn.held, prefix)
  local results = prefix .. "result:"
  for _, result in ipairs(turn.results) do
    if string.sub(result[1], 1, #results) ~= results then
      error(result[1] .. " is not a result of this partition")
    end
  end
end

-- Returns what is wrong with one entity's change, or nil.
local function refuse_entity(e)
  local rules, name = RULES[e.kind], e.kind .. "/" .. e.key
  if not rules then
    return { "INVALID", "no kind " .. e.kind }
  end
  local stored = redis.call("HMGET", e.hash, "version", "status")
  local version = tonumber(stored[1] or "0")
  if version ~= e.expected or not log_is_at(e.log, e.expected) then
    return { "VERSION", name, tostring(version) }
  end
  e.version = version
  local status = stored[2] or ""
  for _, to in ipairs(e.statuses) do
    if not (rules.transitions[status] and rules.transitions[status][to]) then
      return { "TRANSITION", name, status, to }
    end
    status = to
  end
  if e.old ~= status_index(e, stored[2] or "") or e.new ~= status_index(e, status) then
    return { "INVALID", "the indexes of " .. name .. " are not those of its status" }
  end
  e.status = status
  e.book = {}
  for _, step in ipairs(e.steps) do
    local why = pool_step(e.hash, e.book, rules, unpack(step))
    if why then
      return { "POOL", name, why }
    end
  end
  return nil
end

-- True when the inbox has an entry of this id behind the cursor.
local function is_ahead(upto, cursor, inbox)
  local found = redis.call("XRANGE", inbox, upto, upto)[1]
  return found ~= nil and found[1] == upto and is_later(upto, cursor)
end

-- Raises an error unless what this turn writes to has the right type. Asking costs as much as
-- writing, so a key is asked only if it will be written, and not if it is read anyway.
local function require_types(turn, keys)
  require_type(keys[5], "zset")
  if #turn.entities > 0 then
    require_type(keys[4], "stream")
  end
  if #turn.timers > 0 then
    require_type(keys[6], "hash")
  end
  if #turn.dead > 0 then
    require_type(keys[3], "stream")
  end
  if #turn.effects > 0 then
    require_type(keys[7], "zset")
  end
  if #turn.attention > 0 then
    require_type(keys[9], "hash")
  end
end

-- Raises an error unless all effects are new: an id is a call to the outside world, made once.
local function require_new_effects(effects, effect)
  local ids, seen = {}, {}
  for i, pair in ipairs(effects) do
    ids[i] = pair[1]
    if pair[1] == "" or pair[2] == "" or seen[pair[1]] then
      error("effect " .. pair[1] .. " is empty or comes twice")
    end
    seen[pair[1]] = true
  end
  for i, envelope in ipairs(stored_fields(effect, ids)) do
    if envelope then
      error("effect " .. ids[i] .. " is there already")
    end
  end
end

-- Returns what forbids the turn, or nil.
local function refuse(turn, keys)
  require_names(turn, keys, prefix_of(keys[1]) or "")
  require_types(turn, keys)
  if CODE ~= "" and turn.code ~= CODE then
    return { "CODE", CODE }
  end
  local stored = redis.call("HMGET", keys[1], "cursor", "epoch", "halted")
  local cursor, epoch = stored[1] or "0-0", stored[2] or "0"
  if stored[3] then
    return { "HALTED" }
  end
  if cursor ~= turn.from or epoch ~= turn.epoch then
    return { "FENCED", cursor, epoch }
  end
  local counts = is_count(turn.now) and is_count(turn.ttl) and is_count(turn.cap)
  if not (counts and turn.ttl ~= "0" and is_stream_id(turn.upto)) then
    return { "INVALID", "cursor, now, ttl or cap" }
  end
  if turn.upto ~= cursor and not is_ahead(turn.upto, cursor, keys[2]) then
    return { "INVALID", "the cursor is not ahead in the inbox" }
  end
  local seen = {}
  for _, e in ipairs(turn.entities) do
    if seen[e.hash] then
      return { "INVALID", e.kind .. "/" .. e.key .. " comes twice" }
    end
    seen[e.hash] = true
    local why = refuse_entity(e)
    if why then
      return why
    end
  end
  for _, t in ipairs(turn.timers) do
    if t[2] ~= "" and not is_count(t[2]) then
      return { "INVALID", "due time of " .. t[1] }
    end
  end
  require_new_effects(turn.effects, keys[8])
  require_counters(turn.counters, keys[10])
  require_held(turn, keys[11], keys[1])
  return nil
end

local function write_entity(e, turn, feed, args)
  local name = e.kind .. "/" .. e.key
  for _, span in ipairs(e.events) do
    e.version = e.version + 1
    redis.call("XADD", e.log, log_id(e.version), unpack(args, span[1], span[2]))
    redis.call(
      "XADD", feed, "MAXLEN", "~", turn.cap, "*",
      "entity", name, "version", string.format("%.0f", e.version), "type", args[span[1] + 1]
    )
  end
  local version = string.format("%.0f", e.version)
  local fields = { "version", version, "status", e.status, "at", turn.now }
  if e.state ~= "" then
    fields[7], fields[8], fields[9], fields[10] = "state", e.state, "snapshot", version
  end
  local gone = pool_fields(e.book, fields)
  in_chunks("HSET", e.hash, fields)
  in_chunks("HDEL", e.hash, gone)
  redis.call("ZADD", e.index, turn.now, e.key)
  if e.old and e.old ~= e.new then
    redis.call("ZREM", e.old, e.key)
  end
  if e.new then
    redis.call("ZADD", e.new, turn.now, e.key)
  end
end

local function write_messages(turn, keys)
  local barrier = ""
  for _, m in ipairs(turn.messages) do
    local id = redis.call("XADD", m[1], "*", "message", m[2])
    if m[1] == keys[2] then
      barrier = id
    end
  end
  if barrier ~= "" then
    redis.call("HSET", keys[1], "barrier", barrier)
  end
  return barrier
end

local function write_timers(turn, timers, timer)
  for _, t in ipairs(turn.timers) do
    if t[2] == "" then
      redis.call("ZREM", timers, t[1])
      redis.call("HDEL", timer, t[1])
    else
      redis.call("ZADD", timers, t[2], t[1])
      redis.call("HSET", timer, t[1], t[3])
    end
  end
end

local function write_effects(turn, effects, effect)
  local dues, envelopes = {}, {}
  for _, pair in ipairs(turn.effects) do
    dues[#dues + 1], envelopes[#envelopes + 1] = turn.now, pair[1]
    dues[#dues + 1], envelopes[#envelopes + 1] = pair[1], pair[2]
  end
  in_chunks("ZADD", effects, dues)
  in_chunks("HSET", effect, envelopes)
end

local function write_attention(turn, attention)
  for _, pair in ipairs(turn.attention) do
    if pair[2] == "" then
      redis.call("HDEL", attention, pair[1])
    else
      redis.call("HSET", attention, pair[1], pair[2])
    end
  end
end

local function move_cursor(turn, meta, inbox)
  if turn.upto == turn.from then
    return
  end
  redis.call("HSET", meta, "cursor", turn.upto)
  local ms, seq = string.match(turn.upto, "^(%d+)-(%d+)$")
  redis.call("XTRIM", inbox, "MINID", "=", ms .. "-" .. string.format("%.0f", tonumber(seq) + 1))
end

local function commit(keys, args)
  local ok, turn = pcall(read_all, keys, args)
  if not ok then
    return { "INVALID", words_of(turn) }
  end
  local fine, why = pcall(refuse, turn, keys)
  if not fine then
    return { "INVALID", words_of(why) }
  end
  if why then
    return why
  end

  for _, e in ipairs(turn.entities) do
    write_entity(e, turn, keys[4], args)
  end
  local barrier = write_messages(turn, keys)
  write_timers(turn, keys[5], keys[6])
  for _, result in ipairs(turn.results) do
    redis.call("SET", result[1], result[2], "PX", turn.ttl)
    if result[3] ~= "" then
      redis.call("PUBLISH", result[3], result[2])
    end
  end
  for _, span in ipairs(turn.dead) do
    redis.call("XADD", keys[3], "*", unpack(args, span[1], span[2]))
  end
  write_effects(turn, keys[7], keys[8])
  write_attention(turn, keys[9])
  write_counters(turn.counters, keys[10])
  write_held(turn, keys[11], keys[1])
  move_cursor(turn, keys[1], keys[2])
  local listeners = #turn.effects > 0 and announce(keys[7]) or ""
  return { "OK", next_due(keys[5]), barrier, listeners }
end
