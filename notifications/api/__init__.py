"""The web API of devices, and of a notification's progress."""
