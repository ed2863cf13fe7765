"""Everything that Wherry keeps in Redis. With the workers, the only layer that imports redis."""
