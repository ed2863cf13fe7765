"""Requests that nobody thought of, made from the OpenAPI document, against a real server."""
