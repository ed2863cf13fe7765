"""Event-sourced entities and sagas on Redis or Valkey."""
