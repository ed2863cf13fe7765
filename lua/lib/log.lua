-- An entity's version is the number of events ever written to its log, and the id of entry n is
-- "n-0". The id that the stream gave last tells the version, even if entries were deleted.
local function last_log_id(log)
  if redis.call("TYPE", log).ok == "none" then
    return "0-0"
  end
  local info = redis.call("XINFO", "STREAM", log)
  for i = 1, #info, 2 do
    if info[i] == "last-generated-id" then
      return info[i + 1]
    end
  end
  return ""
end
