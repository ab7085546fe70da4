"""One account's row, locked: what is bounded per user is counted and added to by one at a time."""

from django.contrib.auth import get_user_model


def lock_account(account_id: int) -> None:
    """Lock the account's row until the transaction ends; an account that is gone locks nothing.

    Rows that refer to the account can be written meanwhile (FOR NO KEY UPDATE). Whoever locks a
    program as well locks it first, as the deletion of an account does. SQLite has no such locks:
    its transactions that write take turns.
    """
    accounts = get_user_model().objects.filter(pk=account_id).select_for_update(no_key=True)
    list(accounts.values_list("pk"))
