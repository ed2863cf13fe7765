-- How far a call to the outside world is: `<n> <made> <running> <note>` in the hash `attempt`.
--   n        how often it was taken; never goes back, so it tells a runner from the one before
--   made     how many attempts were begun; those that an open breaker held back do not count
--   running  1 while a runner has it
--   note     what runners want to remember, JSON; empty until the first attempt ended

-- What is stored of a call; one that was never taken has nothing.
local function read_attempt(stored)
  local n, made, running, note = string.match(stored or "", "^(%d+) (%d+) ([01]) (.*)$")
  return {
    n = tonumber(n or "0"),
    made = tonumber(made or "0"),
    running = running == "1",
    note = note or "",
  }
end

local function write_attempt(key, id, a)
  local counts = string.format("%.0f %.0f %d ", a.n, a.made, a.running and 1 or 0)
  redis.call("HSET", key, id, counts .. a.note)
end
