"""The pages of accounts in the desk. Importing this package registers them."""

from . import account, act, log_in

__all__ = ["account", "act", "log_in"]
