-- A pool is part of an entity's hash:
--   pool:<name>:limit      how many places there are
--   pool:<name>:used       how many are taken
--   pool:<name>:hold:<id>  who holds one: its end in ms, or "kept"
--
-- `book` collects what the steps of one commit change (false: the field goes), so that each step
-- sees the ones before it and nothing is written until all are allowed.
local function pool_read(key, book, prefix, hold)
  local names = { prefix .. "used", prefix .. "limit", prefix .. "hold:" .. hold }
  local found = redis.call("HMGET", key, unpack(names))
  for i, name in ipairs(names) do
    if book[name] ~= nil then
      found[i] = book[name]
    end
  end
  return tonumber(found[1] or "0"), tonumber(found[2] or "0"), found[3]
end

-- Notes one step in the book. Returns nil when it is allowed, otherwise why not.
local function pool_step(key, book, rules, pool, verb, hold, value)
  local rule = rules.pools[pool]
  if not rule then
    return "no pool " .. pool
  end
  local prefix = "pool:" .. pool .. ":"
  local field = prefix .. "hold:" .. hold
  local used, limit, held = pool_read(key, book, prefix, hold)
  if verb == "limit" then
    if not is_count(value) or tonumber(value) > rule.most or tonumber(value) < used then
      return "limit " .. value .. " with " .. used .. " taken"
    end
    book[prefix .. "limit"] = value
  elseif verb == "hold" then
    if not is_count(value) then
      return hold .. " has no end"
    end
    if held or used >= limit then
      return used .. " of " .. limit .. " taken"
    end
    book[field] = value
    book[prefix .. "used"] = tostring(used + 1)
  elseif verb == "keep" then
    if not held then
      return hold .. " is not held"
    end
    book[field] = "kept"
  elseif verb == "free" then
    if not held then
      return hold .. " is not held"
    end
    book[field] = false
    book[prefix .. "used"] = tostring(used - 1)
  else
    return "no step " .. verb
  end
  return nil
end

-- Adds what the book collected to the fields that are about to be set; returns those to delete.
local function pool_fields(book, fields)
  local gone = {}
  for field, value in pairs(book) do
    if value then
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    else
      gone[#gone + 1] = field
    end
  end
  return gone
end
