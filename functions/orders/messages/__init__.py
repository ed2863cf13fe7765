"""The contract of the order bundle: everything that its entities say. No module here does I/O."""
