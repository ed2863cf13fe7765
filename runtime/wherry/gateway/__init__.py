"""What every door offers - HTTP, CLI - in one place: send, wait, read, list, operate."""
