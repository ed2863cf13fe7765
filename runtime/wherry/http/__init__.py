"""HTTP: commands in, answers and events out. Starlette on uvicorn."""
