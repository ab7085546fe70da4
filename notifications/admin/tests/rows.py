"""What the admin's tests share: people, rows of each model, addresses and answers to questions."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications.models import (
    Batch,
    Delivery,
    DeviceToken,
    Notification,
    SendingSwitch,
    WorkerLease,
)
from programs.models import Program, Talk

User = get_user_model()

SECRET = "secret-part-of-the-token"


def superuser() -> Client:
    """Return the browser of a logged-in superuser, anna."""
    client = Client()
    client.force_login(User.objects.create_superuser("anna"))
    return client


def staff(*permissions: str, name: str = "vera") -> Client:
    """Return the browser of a logged-in staff user with these permissions on `notifications`."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=permissions, content_type__app_label="notifications")
    )
    client = Client()
    client.force_login(user)
    return client


def listener(name: str) -> DeviceToken:
    """Return the device of a new listener."""
    user = User.objects.create_user(name)
    return DeviceToken.objects.create(user=user, token=f"{SECRET}-{name}-ending")


def notification(state: str = "pending", *, title: str = "Owls") -> Notification:
    """Return the notification of a new talk, in this state."""
    owner, _created = User.objects.get_or_create(username="talker")
    program, _created = Program.objects.get_or_create(owner=owner, title="Night Radio")
    posted: Notification = Talk.objects.create(program=program, title=title).notification
    Notification.objects.filter(id=posted.id).update(state=state)
    posted.refresh_from_db()
    return posted


def delivery(of: Notification, to: DeviceToken, outcome: str = "sent") -> Delivery:
    """Return a new line of the send log."""
    return Delivery.objects.create(
        notification=of, device=to, outcome=outcome, at=timezone.now(), message_id="projects/x/1"
    )


def in_doubt(*names: str) -> Notification:
    """Return a notification that is done; whether it reached these listeners is not known."""
    row = notification("done")
    for name in names:
        delivery(row, listener(name), "unknown")
    Notification.objects.filter(id=row.id).update(
        unknown_count=len(names), target_count=len(names), dry_run=False
    )
    row.refresh_from_db()
    return row


def batch(of: Notification, targets: Sequence[int]) -> Batch:
    """Return a new batch of these device ids, as a worker claims one."""
    return Batch.objects.create(
        notification=of,
        targets=targets,
        size=len(targets),
        epoch=1,
        worker="radio-1:1",
        claimed_at=timezone.now(),
    )


def worker(*, silent_for: timedelta = timedelta()) -> WorkerLease:
    """Return the lease of an active worker."""
    return WorkerLease.objects.create(
        name="sender", holder="radio-1:1", epoch=1, heartbeat_at=Now() - silent_for
    )


def set_live(**values: object) -> None:
    """Set the switch to live, in bert's name."""
    SendingSwitch.objects.change(
        changed_by="bert", now=timezone.now(), reason="a test", mode="live", **values
    )


def listing(model: str, query: str = "") -> str:
    """Return the address of a model's list."""
    return reverse(f"admin:notifications_{model}_changelist") + query


def page_of(row: Model, view: str = "change") -> str:
    """Return the address of a page about one row: its own, or a control's by its name."""
    model = row._meta.label_lower.replace(".", "_")
    return reverse(f"admin:{model}_{view}", args=[row.pk])


def say_yes(client: Client, where: str, **values: object) -> tuple[int, str]:
    """Answer a control's question; return the status of the answer and the page that follows."""
    answer = client.post(where, {"once": uuid4(), **values})
    page = client.get(answer["Location"]) if answer.status_code == 302 else answer
    return answer.status_code, page.content.decode()


def act(client: Client, model: str, action: str, *rows: Notification | DeviceToken) -> str:
    """Run an action of a list on these rows, and return the page that says what came of it."""
    answer = client.post(
        listing(model),
        {"action": action, "_selected_action": [row.pk for row in rows]},
        follow=True,
    )
    return answer.content.decode()
