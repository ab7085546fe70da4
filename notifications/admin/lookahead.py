"""Read-only lists of tables too large to be counted or sorted."""

from radiotalk.lookahead import LookAheadMixin

from .base import ReadOnlyAdmin


class LookAheadAdmin(LookAheadMixin, ReadOnlyAdmin):
    """A read-only list that reads one page and one row."""
