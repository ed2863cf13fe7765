"""What the authors of bundles write with. Nothing here does I/O."""
