"""The operators' view of the sending: all is looked at, and what is done is asked about first.

start         the first page: who works, what went out, what needs somebody
banner        what every page says at its top (a context processor, named in the settings)
attention     what is wrong, each with what to do (the banner and the start page say it)
notification  what was posted and how far it has come; its parts: page, progress, errors, export
controls      cancel, hold, release, retry, settle: each asks on a page of its own (asking)
switch        live or dry run, going on or paused
why           why a listener did or did not get a talk
delivery      the send log, a table too large to be counted
batch         whom a worker claimed, and what became of the claim
device        where listeners are reached, and a test to an operator's own; tokens are never shown
program       whom a program reaches
lease         the workers
"""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import TokenProxy

from . import batch, delivery, device, lease, notification, program, switch

admin.site.site_title = "Radiotalk"
admin.site.index_title = _("Operators' desk")
admin.site.unregister(TokenProxy)  # its pages show API tokens whole

__all__ = ["batch", "delivery", "device", "lease", "notification", "program", "switch"]
