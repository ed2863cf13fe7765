-- `unpack` has room for some 8,000 values; no event needs that many.
local MOST_FIELDS = 64

-- Reads ARGV from left to right.
local function reader(keys, args)
  local at = 0
  local checked = {}
  local r = {}
  function r.text()
    at = at + 1
    return args[at] or error("arguments end too early")
  end
  function r.count()
    at = at + 1
    if not is_count(args[at]) then
      error(args[at] and "argument " .. at .. " is not a count" or "arguments end too early")
    end
    return tonumber(args[at])
  end
  -- The key at the position that comes next.
  function r.key()
    local position = r.count()
    return keys[position] or error("no key " .. position)
  end
  -- The same, of a key that is shared by many: its type is checked, once.
  function r.shared_key(wanted)
    local key = r.key()
    if checked[key] ~= wanted then
      require_type(key, wanted)
      checked[key] = wanted
    end
    return key
  end
  -- The same; nil when the position is 0.
  function r.optional_key(wanted)
    if args[at + 1] == "0" then
      at = at + 1
      return nil
    end
    return r.shared_key(wanted)
  end
  -- Skips `count` arguments; returns the positions of the first and the last.
  function r.span(count)
    local first = at + 1
    at = at + count
    if at > #args then
      error("arguments end too early")
    end
    return first, at
  end
  function r.ended()
    return at == #args
  end
  return r
end

-- The positions of the fields of one stream entry.
local function read_span(r)
  local count = r.count()
  if count < 2 or count > MOST_FIELDS or count % 2 == 1 then
    error("fields come in pairs, at least one, at most " .. MOST_FIELDS .. " fields")
  end
  return { r.span(count) }
end

local function read_spans(r)
  local spans = {}
  for i = 1, r.count() do
    spans[i] = read_span(r)
  end
  return spans
end

local function read_pairs(r)
  local pairs_of = {}
  for i = 1, r.count() do
    pairs_of[i] = { r.text(), r.text() }
  end
  return pairs_of
end
