"""The command `wherry`. Redis, RQ and Starlette are imported inside commands: help is quick."""
