-- Checks that every verb makes before its first write. Redis does not roll a script back, so
-- whatever could make a later write fail has to be found here.

-- True when the key is free or of the given type: then no write to it can fail with WRONGTYPE.
local function is_type(key, wanted)
  local found = redis.call("TYPE", key).ok
  return found == "none" or found == wanted
end

-- Returns what is wrong with the keys of a call, or nil: one is missing, or not of its type.
local function wrong_key(keys, types)
  for i, wanted in ipairs(types) do
    if not (keys[i] and is_type(keys[i], wanted)) then
      return "key " .. i .. " is not a " .. wanted
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

-- True for the id of a stream entry that Redis accepts.
local function is_stream_id(text)
  local ms, seq = string.match(text or "", "^(%d+)-(%d+)$")
  return ms ~= nil and #ms <= 15 and #seq <= 15
end

-- Calls a command with any number of values: `unpack` dies near 8,000.
local function in_chunks(command, key, values)
  for first = 1, #values, 1000 do
    redis.call(command, key, unpack(values, first, math.min(first + 999, #values)))
  end
end
