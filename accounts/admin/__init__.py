"""The pages of accounts in the desk. Importing this package registers them."""

from . import account, act, log_in, tokens

__all__ = ["account", "act", "log_in", "tokens"]
