-- Numbers that only grow: how often something happened. A verb reads what to add to which, asks
-- whether it may, and adds it behind its last check.
local function read_counters(r)
  local counters = { names = {}, numbers = {} }
  for i = 1, r.count() do
    counters.names[i], counters.numbers[i] = r.text(), string.format("%.0f", r.count())
  end
  return counters
end

-- True for what HINCRBY takes, with room for what is added: it counts up to some 9e18.
local function can_grow(stored)
  return not stored
    or (#stored <= 18 and (stored == "0" or string.find(stored, "^%-?[1-9]%d*$") ~= nil))
end

-- Raises an error unless each counter comes once, and is a whole number if it is there.
local function require_counters(counters, key)
  local seen = {}
  for i, stored in ipairs(stored_fields(key, counters.names)) do
    local name = counters.names[i]
    if seen[name] or not can_grow(stored) then
      error("counter " .. name .. " comes twice or cannot grow")
    end
    seen[name] = true
  end
end

local function write_counters(counters, key)
  for i, name in ipairs(counters.names) do
    redis.call("HINCRBY", key, name, counters.numbers[i])
  end
end
