"""The operators' desk: its pages show the sending, and ask before they change anything.

start         the first page: who works, what went out, what needs somebody
banner        what every page says at its top (a context processor, named in the settings)
attention     what the banner and the start page say
notification  what was posted and how far it has come; its parts: page, progress, errors, export
asking        what a control is: an act that a page of its own asks about
controls      the controls of a notification: cancel, hold, release, retry, settle
switch        the sending switch and its controls: go live, dry run, pause, resume
why           why a listener did or did not get a talk
delivery      the send log, a table too large to be counted
batch         whom a worker claimed, and what became of the claim
device        where listeners are reached; sends a test to an operator's own device
program       whom a program reaches, and its dry run
lease         the workers
"""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from . import batch, delivery, device, lease, notification, program, switch

admin.site.site_title = "Radiotalk"
admin.site.index_title = _("Operators' desk")

__all__ = ["batch", "delivery", "device", "lease", "notification", "program", "switch"]
