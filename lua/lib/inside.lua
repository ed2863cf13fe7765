-- A verb for those inside: workers and operators. The server lets a user run FCALL or not, but not
-- this verb and not that one; yet it asks for each command in a script whether the user may run it.
-- So a verb for insiders begins with one that does nothing, and that no user of the outside has:
-- theirs ends here, before anything was read or written.
local function inside(verb)
  return function(keys, args)
    redis.call("ECHO", "inside")
    return verb(keys, args)
  end
end
