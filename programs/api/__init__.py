"""The web API of this app."""
