"""The web console: pages for people, made on the server; each has a JSON twin."""
