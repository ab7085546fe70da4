"""Acts on one program: an operator's dry run, which its owner cannot take away."""

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.acts import keep
from accounts.who import Who
from programs.models import Program

from .record import Refused


@transaction.atomic
def set_program_dry_run(program_id: int, dry_run: bool, *, by: Who, reason: str) -> None:
    """Let the program's notifications reach nobody, or follow the switch again."""
    row = Program.objects.select_for_update().filter(id=program_id).first()
    if row is None:
        raise Refused(_("There is no program %(number)s.") % {"number": program_id})
    Program.objects.filter(id=row.id).update(dry_run=dry_run, dry_run_by_operator=dry_run)
    keep(
        "operator.program.dry_run" if dry_run else "operator.program.live",
        by=by,
        reason=reason,
        about=f"program {row.id}",
        before={"dry_run": row.dry_run},
        after={"dry_run": dry_run},
    )
