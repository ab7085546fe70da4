"""The query parameters that narrow the lists of programs and talks."""

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField

from programs.models import Program, Talk

from .querysets import user_of


class ProgramFilter(filters.FilterSet):  # type: ignore[misc]  # has no types
    """By title and owner, and by whether the asking user owns or clips the program."""

    title = filters.CharFilter(lookup_expr="icontains", label="The title contains this.")
    owner = filters.CharFilter(
        field_name="owner__username", lookup_expr="exact", label="The owner's user name."
    )
    mine = filters.BooleanFilter(method="by_owner", label="Owned by the asking user, or not.")
    clipped = filters.BooleanFilter(method="by_clip", label="Clipped by the asking user, or not.")

    class Meta:
        model = Program
        fields = ["title", "owner", "mine", "clipped"]

    def by_owner(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        """Return the user's own programs, or the others."""
        user = user_of(self.request)
        return queryset.filter(owner=user) if value else queryset.exclude(owner=user)

    def by_clip(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        """Return the programs that the user clips, or the others."""
        if value:  # a join, which starts from the user's few clips; `clipped=True` would not
            return queryset.filter(clips__listener=user_of(self.request))
        return queryset.filter(clipped=False)


class MomentField(IsoDateTimeField):  # type: ignore[misc]  # has no types
    """A date and time that also exists in UTC: the first hours of year 1 at +14:00 do not."""

    def to_python(self, value: Any) -> datetime | None:
        """Return the moment in UTC, None for no value; raise ValidationError for a wrong one."""
        moment: datetime | None = super().to_python(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error


class MomentFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]  # has no types
    field_class = MomentField


class TalkFilter(filters.FilterSet):  # type: ignore[misc]  # has no types
    """By the time of posting: `posted_at_after` and `posted_at_before`."""

    posted_at_after = MomentFilter(
        field_name="posted_at", lookup_expr="gte", label="Posted then or later (ISO 8601)."
    )
    posted_at_before = MomentFilter(
        field_name="posted_at", lookup_expr="lte", label="Posted then or earlier (ISO 8601)."
    )

    class Meta:
        model = Talk
        fields = ["posted_at_after", "posted_at_before"]
