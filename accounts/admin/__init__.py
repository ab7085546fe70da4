"""The pages of accounts in the desk. Importing this package registers them."""

from . import tokens

__all__ = ["tokens"]
