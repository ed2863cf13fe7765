-- The Lua that Redis runs: 5.1 in a sandbox, plus what Redis adds. `make lua` checks the expanded
-- library, because a helper that is included looks undefined in the file that uses it.
std = "lua51"
max_line_length = 100
read_globals = { "redis", "cjson" }
