"""A whole system on one machine: what `wherry dev`, `up` and `demo` start, watch and stop."""
