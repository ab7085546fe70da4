"""I7: a device that was no target any more when its batch was claimed gets nothing."""

from datetime import timedelta

from django.db.models import F, Q, QuerySet

from notifications.models import Batch, Delivery

from .evidence import CHUNK, Evidence
from .report import MOST_EXAMPLES, Finding

# Each time is by the clock of the host that wrote it, and the hosts' clocks differ.
CLOCKS = timedelta(seconds=5)


def check(evidence: Evidence) -> Finding:
    """Return the devices that were sent to although they were no targets.

    The database proves that no device has a delivery that was registered after the cutoff, or that
    was disabled before the sending began and never enabled again. There is no history of clips,
    mutes and moves, so for these the caller must have noted when they were committed
    (`departures`).
    """
    finding = Finding("I7", "the right person")
    skipped = Q(outcome=Delivery.Outcome.SKIPPED)
    sent_to = Delivery.objects.exclude(skipped)
    late = sent_to.filter(device__created_at__gt=F("notification__cutoff"))
    count(finding, late, "device {1} of notification {0} was registered after its cutoff")
    disabled = sent_to.filter(device__disabled_at__lt=F("notification__started_at") - CLOCKS)
    count(finding, disabled, "device {1} was disabled before notification {0} began")
    if evidence.given.departures:
        check_departures(finding, evidence)
    else:
        finding.remark("unclipped, muted and moved: only seen with noted departures")
    return finding


def count(finding: Finding, wrong: QuerySet[Delivery], tells: str) -> None:
    """Count the deliveries that a query finds."""
    found = wrong.order_by().values_list("notification_id", "device_id")
    finding.add_all(found.count(), [tells.format(*row) for row in found[:MOST_EXAMPLES]])


def check_departures(finding: Finding, evidence: Evidence) -> None:
    """Count the claims of devices that had left before; both times are by one clock."""
    departures = evidence.given.departures
    batches = Batch.objects.order_by().values_list("id", "targets", "claimed_at")
    for batch_id, targets, claimed_at in batches.iterator(CHUNK):
        for device_id in departures.keys() & set(targets):
            if departures[device_id] < claimed_at:
                finding.add(f"device {device_id} had left before batch {batch_id} was claimed")
