"""The demo: a day in some harbours, told while it happens, through HTTP like any client."""
