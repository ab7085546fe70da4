"""The earlier name of `manage.py prune`, for whoever has it in a crontab."""

from .prune import Command

__all__ = ["Command"]
