"""The tables of accounts: API tokens, and what operators did."""

from .act import Act
from .api_token import ApiToken

__all__ = ["Act", "ApiToken"]
