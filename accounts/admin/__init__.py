"""The pages of accounts in the desk. Importing this package registers them."""

from . import account, log_in

__all__ = ["account", "log_in"]
