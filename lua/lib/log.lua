-- The id of an entry. (`..` would write numbers of 15 digits as 1e+14.)
local function log_id(version)
  return string.format("%.0f-0", version)
end

-- An entity's version is the number of events ever written to its log, and the id of entry n is
-- "n-0". True when the next event can be appended: the id that the stream gave last is that of the
-- version. Its length would not tell, nor its last entry: a stream remembers ids that somebody
-- deleted or set by hand, and refuses them. A key that is no stream is at none.
local function log_is_at(log, version)
  if version == 0 then
    return redis.call("EXISTS", log) == 0
  end
  local info = redis.pcall("XINFO", "STREAM", log)
  for i = 1, #info, 2 do
    if info[i] == "last-generated-id" then
      return info[i + 1] == log_id(version)
    end
  end
  return false
end
