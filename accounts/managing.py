"""Who may change whose account: nobody changes one that may more, or gives what they lack."""

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.db.models import Q, QuerySet

from .models import Act


def permissions_of(account: User | AnonymousUser) -> QuerySet[Permission]:
    """Return what the account may do, or may again once it is active."""
    if account.is_superuser:
        return Permission.objects.all()
    theirs = Permission.objects.filter(Q(user=account.pk) | Q(group__user=account.pk))
    return Permission.objects.filter(pk__in=theirs.order_by().values("pk"))


def groups_within(actor: User | AnonymousUser) -> QuerySet[Group]:
    """Return the groups that give nothing which the actor does not have."""
    beyond = Permission.objects.exclude(pk__in=permissions_of(actor).order_by().values("pk"))
    return Group.objects.exclude(permissions__in=beyond.order_by())


def may_manage(actor: User | AnonymousUser, account: User) -> bool:
    """Return whether the actor has all that the account has, which a new password would give."""
    if actor.is_superuser:
        return True
    had = permissions_of(actor).order_by().values("pk")
    return not account.is_superuser and not permissions_of(account).exclude(pk__in=had).exists()


def is_or_was_operator(account: User) -> bool:
    """Return whether the account acts in the desk, or did: what it did must go on naming it."""
    return (
        account.is_staff
        or account.is_superuser
        or Act.objects.filter(account_id=account.pk).exists()
        or LogEntry.objects.filter(user=account.pk).exists()
    )
