"""What the admin's pages share: they show rows, and no form of Django's changes them."""

from collections.abc import Callable

from django.contrib import admin
from django.db.models import Field, Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from radiotalk.uncounted_lists import UncountedListMixin


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Shows rows that the API and the worker write: no form adds, changes or deletes them."""

    show_full_result_count = False  # a second COUNT, of the unfiltered table

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may run the actions: the right to change, without the form."""
        return request.user.has_perm(
            f"{self.opts.app_label}.change_{self.opts.model_name}"  # what the form would ask for
        )


class UncountedAdmin(UncountedListMixin, ReadOnlyAdmin):
    """A read-only list that reads the rows of one page and one more, however large its table is."""


def exact(
    model: type[Model], name: str, timespec: str = "seconds"
) -> Callable[[ReadOnlyAdmin, Model], SafeString | None]:
    """Return a method of an admin, a column that shows a time to the second or to `timespec`.

    Django's own formats show no seconds, and thousands of devices are reached within a minute.
    """
    field = model._meta.get_field(name)
    assert isinstance(field, Field)  # noqa: S101  (for mypy: no relation)

    @admin.display(description=field.verbose_name, ordering=name, empty_value="–")
    def column(self: ReadOnlyAdmin, row: Model) -> SafeString | None:
        at = getattr(row, name)
        if at is None:
            return None
        local = timezone.localtime(at).replace(tzinfo=None)
        date, time = local.isoformat(" ", timespec).split()  # two words: a narrow column wraps
        return format_html("<time>{}</time> <time>{}</time>", date, time)

    return column
