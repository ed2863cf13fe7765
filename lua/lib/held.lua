-- Messages that are held back, since their entity is paused or others wait before them:
--   {ns:p}:held               zset  address -> since when its messages are held, ms
--   {ns:p}:held:<kind>:<key>  list  their envelopes, in order
-- and `held` in the hash of the partition tells how many there are in all.

-- Reads which messages go on: the first so many of an entity's list.
local function read_released(r)
  local released = {}
  for i = 1, r.count() do
    released[i] = { list = r.shared_key("list"), kind = r.text(), key = r.text(), n = r.count() }
  end
  return released
end

-- Reads which messages are held back from now on.
local function read_held(r)
  local held = {}
  for i = 1, r.count() do
    held[i] = { list = r.shared_key("list"), kind = r.text(), key = r.text(), message = r.text() }
  end
  return held
end

-- Raises an error unless each list is that of its entity.
local function require_held_names(rows, prefix)
  for _, row in ipairs(rows) do
    if row.list ~= prefix .. "held:" .. row.kind .. ":" .. row.key then
      error(row.list .. " does not hold messages for " .. row.kind .. "/" .. row.key)
    end
  end
end

-- Raises an error unless there is what goes on, and what is written to has the right type.
local function require_held(turn, zset, meta)
  if #turn.released == 0 and #turn.held == 0 then
    return
  end
  require_type(zset, "zset")
  if not (can_grow(redis.call("HGET", meta, "held")) and can_begin_epoch(meta)) then
    error("the epoch, or the number of messages that are held, cannot change")
  end
  local seen = {}
  for _, row in ipairs(turn.released) do
    if seen[row.list] or row.n == 0 or redis.call("LLEN", row.list) < row.n then
      error(row.kind .. "/" .. row.key .. " has not so many messages that are held")
    end
    seen[row.list] = true
  end
end

local function write_held(turn, zset, meta)
  local more = #turn.held
  for _, row in ipairs(turn.released) do
    redis.call("LTRIM", row.list, row.n, -1)
    more = more - row.n
  end
  for _, row in ipairs(turn.held) do
    redis.call("RPUSH", row.list, row.message)
    redis.call("ZADD", zset, "NX", turn.now, row.kind .. "/" .. row.key)
  end
  for _, row in ipairs(turn.released) do
    if redis.call("LLEN", row.list) == 0 then
      redis.call("ZREM", zset, row.kind .. "/" .. row.key)
    end
  end
  if more ~= 0 then
    redis.call("HINCRBY", meta, "held", string.format("%.0f", more))
  end
  if #turn.released > 0 then
    next_epoch(meta)
  end
end
