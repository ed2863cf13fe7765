-- The id of an entry. (`..` would write numbers of 15 digits as 1e+14.)
local function log_id(version)
  return string.format("%.0f-0", version)
end

-- An entity's version is the number of events ever written to its log, and the id of entry n is
-- "n-0". True when the log is at a version. As long as nobody deletes entries its length tells;
-- XINFO tells always, but costs more than all else that is done for an entity. Raises an error
-- when the log is no stream.
local function log_is_at(log, version)
  local length = redis.call("XLEN", log)
  if length == version then
    return true
  elseif redis.call("EXISTS", log) == 0 then
    return false
  end
  local info = redis.call("XINFO", "STREAM", log)
  for i = 1, #info, 2 do
    if info[i] == "last-generated-id" then
      return info[i + 1] == log_id(version)
    end
  end
  return false
end

-- Appends the events of one entity, each a span of `args`. Returns how many the log took: it
-- refuses an id that is not above the last one it gave.
local function append(log, version, spans, args)
  for i, span in ipairs(spans) do
    local id = redis.pcall("XADD", log, log_id(version + i), unpack(args, span[1], span[2]))
    if type(id) == "table" then
      return i - 1
    end
  end
  return #spans
end

-- Makes a log what it was at a version, after `count` events were appended. It is written anew: a
-- stream remembers the ids of what is deleted, and would refuse the same ids ever after.
local function take_back(log, version, count)
  if count == 0 then
    return
  end
  local kept = redis.call("XRANGE", log, "-", log_id(version))
  redis.call("DEL", log)
  for _, entry in ipairs(kept) do
    redis.call("XADD", log, entry[1], unpack(entry[2]))
  end
  local last = kept[#kept]
  if last and last[1] ~= log_id(version) then
    redis.pcall("XSETID", log, log_id(version))
  end
end
