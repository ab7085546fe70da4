"""The web API of programs, talks and clips."""
