"""What a laptop or a CI machine needs instead of servers: engines, demo and run."""
