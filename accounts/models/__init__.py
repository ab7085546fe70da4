"""The tables of accounts: what operators did."""

from .act import Act

__all__ = ["Act"]
