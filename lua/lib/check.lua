-- Checks that every verb makes before its first write. Redis does not roll a script back, so
-- whatever could make a later write fail has to be found here.

-- True when the key is free or of the given type: then no write to it can fail with WRONGTYPE.
local function is_type(key, wanted)
  local found = redis.call("TYPE", key).ok
  return found == "none" or found == wanted
end

-- True for a whole number of at most 15 digits: exact in Lua, and accepted by every command.
local function is_count(text)
  return type(text) == "string" and #text <= 15 and string.find(text, "^%d+$") ~= nil
end

-- True for the id of a stream entry that Redis accepts.
local function is_stream_id(text)
  local ms, seq = string.match(text or "", "^(%d+)-(%d+)$")
  return ms ~= nil and #ms <= 15 and #seq <= 15
end
