-- Checks that every verb makes before its first write. Redis does not roll a script back, so
-- whatever could make a later write fail has to be found here.

-- True when the key is free or of the given type: then no write to it can fail with WRONGTYPE.
local function is_type(key, wanted)
  local found = redis.call("TYPE", key).ok
  return found == "none" or found == wanted
end

-- The hash tag that all keys of a partition begin with, `{ns:p}:`, and the namespace in it.
local function prefix_of(key)
  return string.match(key or "", "^({([^{}]+):%d+}:)")
end

-- Returns what is wrong with the keys of a call, or nil: one is missing, or has not the name or the
-- type of its role. Names keep a key from having two roles, whose types would clash at a write.
local function wrong_key(keys, names, types)
  local prefix = prefix_of(keys[1])
  for i, wanted in ipairs(types) do
    local fits = prefix and keys[i] and (not names[i] or keys[i] == prefix .. names[i])
    if not (fits and is_type(keys[i], wanted)) then
      return "key " .. i .. " is not the " .. (names[i] or "right") .. " " .. wanted
    end
  end
  return nil
end

-- Raises an error unless the key can be written as the given type.
local function require_type(key, wanted)
  if not (key and is_type(key, wanted)) then
    error((key or "a missing key") .. " is not a " .. wanted)
  end
end

-- True for a whole number of at most 15 digits: exact in Lua. Some commands refuse a leading zero.
local function is_count(text)
  if type(text) ~= "string" or #text > 15 then
    return false
  end
  return text == "0" or string.find(text, "^[1-9]%d*$") ~= nil
end

-- What an error says: one of redis.call is a table.
local function words_of(problem)
  return type(problem) == "table" and problem.err or tostring(problem)
end

-- True for the id of a stream entry that Redis accepts.
local function is_stream_id(text)
  local ms, seq = string.match(text or "", "^(%d+)-(%d+)$")
  return ms ~= nil and #ms <= 15 and #seq <= 15
end

-- True when the first of two stream ids is the later one.
local function is_later(id, other)
  local ms, seq = string.match(id, "^(%d+)-(%d+)$")
  local other_ms, other_seq = string.match(other, "^(%d+)-(%d+)$")
  ms, other_ms = tonumber(ms), tonumber(other_ms)
  return ms > other_ms or (ms == other_ms and tonumber(seq) > tonumber(other_seq))
end

-- Calls a command with any number of values: `unpack` dies near 8,000.
local function in_chunks(command, key, values)
  for first = 1, #values, 1000 do
    redis.call(command, key, unpack(values, first, math.min(first + 999, #values)))
  end
end

-- What a hash has in these fields, in their order; false for one that is not there. Raises an error
-- when the key is no hash.
local function stored_fields(key, names)
  local found = {}
  for first = 1, #names, 1000 do
    local last = math.min(first + 999, #names)
    for _, value in ipairs(redis.call("HMGET", key, unpack(names, first, last))) do
      found[#found + 1] = value
    end
  end
  return found
end
