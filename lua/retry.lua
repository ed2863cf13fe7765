--[[
retry: send a dead letter's message again, behind what waits already.

KEYS     1 dead    stream  dead letters of the partition
         2 inbox   stream  envelopes waiting for a turn
         3 result  string  of the command; set back to pending

ARGV     1 letter  id of the dead letter
         2 mark    1 to set the result back, 0 when nobody waits for it

Answers  {"SENT"}           the letter is gone, its message waits
         {"GONE"}           there is no such letter; nothing written
         {"INVALID", what}  nothing written
]]

--- @include "lib/check"

local RETRY_NAMES = { "dead", "inbox" }
local RETRY_TYPES = { "stream", "stream", "string" }

local function retry(keys, args)
  local dead, inbox, result, letter, mark = keys[1], keys[2], keys[3], args[1], args[2]
  if not (is_stream_id(letter) and (mark == "0" or mark == "1")) then
    return { "INVALID", "letter or mark" }
  end
  local wrong = wrong_key(keys, RETRY_NAMES, RETRY_TYPES)
  if wrong then
    return { "INVALID", wrong }
  end
  if string.sub(result, 1, #prefix_of(dead) + 7) ~= prefix_of(dead) .. "result:" then
    return { "INVALID", "key 3 is not a result of the partition" }
  end
  local found = redis.call("XRANGE", dead, letter, letter)[1]
  if not found then
    return { "GONE" }
  end
  local message
  for i = 1, #found[2], 2 do
    if found[2][i] == "message" then
      message = found[2][i + 1]
    end
  end
  if not message then
    return { "INVALID", "letter without a message" }
  end

  redis.call("XADD", inbox, "*", "message", message)
  redis.call("XDEL", dead, letter)
  if mark == "1" then
    redis.call("SET", result, '{"status":"pending"}')
  end
  return { "SENT" }
end
