-- Tells the runners of the namespace that this partition has effects to take. Returns how many
-- heard it; on a cluster, those that are connected to this node.
local function announce(key)
  local namespace, partition = string.match(key, "^{([^{}]+):(%d+)}:")
  return redis.call("PUBLISH", namespace .. ":effects", partition)
end
