"""Middleware of our own: each request passes it before Django's and before its view."""
