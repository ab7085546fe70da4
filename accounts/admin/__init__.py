"""The pages of accounts in the desk. Importing this package registers them."""

from . import account, act, factor, log_in, tokens

__all__ = ["account", "act", "factor", "log_in", "tokens"]
