"""The operators' desk in a real Chromium, against the running system."""
