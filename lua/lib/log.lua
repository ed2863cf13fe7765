-- The id of an entry. (`..` would write numbers of 15 digits as 1e+14.)
local function log_id(version)
  return string.format("%.0f-0", version)
end

-- An entity's version is the number of events ever written to its log, and the id of entry n is
-- "n-0". True when the log looks as it should at a version; the stream itself has the last word,
-- when the next event is appended.
local function log_may_be_at(log, version)
  return redis.call("TYPE", log).ok == (version == 0 and "none" or "stream")
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

-- Makes a log what it was at a version, after `count` events were appended.
local function take_back(log, version, count)
  if count == 0 then
    return
  elseif version == 0 then
    redis.call("DEL", log)
    return
  end
  for i = 1, count do
    redis.call("XDEL", log, log_id(version + i))
  end
  -- fakeredis has no XSETID; there a log that was taken back refuses the same ids ever after.
  redis.pcall("XSETID", log, log_id(version))
end
