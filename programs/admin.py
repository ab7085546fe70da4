"""Programs, talks, clips and users in Django's admin, fast with a million rows of each."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from radiotalk.uncounted_lists import UncountedListMixin

from .audio import InvalidAudio, read_audio
from .disk import DISK_FULL, DiskFullError, raise_if_dropped
from .files import save_with_audio
from .models import Clip, Program, Talk

MOST_FOUND = 100  # users, and as many programs: a search lists their clips
MOST_STAFF = 1000  # accounts that the filter by staff lists

admin.site.unregister(User)


class StaffFilter(admin.SimpleListFilter):
    """Lists the staff: their few ids are read once, since no index serves `is_staff`."""

    title = _("staff")
    parameter_name = "staff"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "yes":
            return queryset
        staff = User.objects.filter(is_staff=True).order_by()
        return queryset.filter(id__in=list(staff.values_list("id", flat=True)[:MOST_STAFF]))


@admin.register(User)
class ListenerAdmin(UncountedListMixin, UserAdmin):  # type: ignore[type-arg]  # generic for mypy
    """Django's admin of users, with a list and a search that do not slow down with their number."""

    search_fields = ("username__startswith",)
    search_help_text = _("How a username begins.")
    list_filter = (StaffFilter,)


@admin.register(Program)
class ProgramAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["title", "owner", "dry_run", "created_at"]
    list_filter = ["dry_run", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["title", "owner__username"]
    autocomplete_fields = ["owner"]
    readonly_fields = ["created_at"]
    show_full_result_count = False

    def save_model(
        self, request: HttpRequest, obj: Program, form: "forms.ModelForm[Program]", change: bool
    ) -> None:
        """Write the changed fields alone: meanwhile an operator may have set `dry_run`."""
        if not change:
            obj.dry_run_by_operator = obj.dry_run
        obj.save(update_fields=form.changed_data if change else None)

    def get_deleted_objects(
        self, objs: QuerySet[Program] | Iterable[Program], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Count the talks and clips that go with the programs; Django would load and list them."""
        programs = list(objs)
        counts = {str(Program._meta.verbose_name_plural): len(programs)}
        forbidden = set()
        for model in (Talk, Clip):
            count = model._default_manager.filter(program__in=programs).count()
            counts[str(model._meta.verbose_name_plural)] = count
            if count and not self.admin_site.get_model_admin(model).has_delete_permission(request):
                forbidden.add(str(model._meta.verbose_name))
        return [str(program) for program in programs], counts, forbidden, []


SENT_BEFORE = _(
    "This form was sent before, and nothing was done now. What came of it is not known "
    "yet: look before you ask again."
)


class TalkForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    """The form of a new talk. Its recording must meet the same conditions as in the API.

    `once` becomes the talk's Idempotency-Key, so that two clicks post one talk.
    """

    # An empty file is refused by read_audio, as all other bad ones are.
    audio = forms.FileField(label=_("audio"), allow_empty_file=True)
    once = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4, required=False)

    class Meta:
        model = Talk
        fields = ["program", "title", "description", "audio"]

    def clean_audio(self) -> "UploadedFile[Any]":
        """Return the file and keep what was read of it; raise ValidationError for a bad one."""
        file: UploadedFile[Any] = self.cleaned_data["audio"]
        try:
            self.recording = read_audio(file)
        except InvalidAudio as error:
            raise forms.ValidationError(str(error)) from error
        return file

    def clean(self) -> dict[str, Any]:
        """Return the fields; raise ValidationError when this form has posted its talk before."""
        content = super().clean() or {}
        if once := content.get("once"):
            self.instance.idempotency_key = str(once)
            if is_posted(content.get("program"), key=str(once)):
                raise forms.ValidationError(SENT_BEFORE)
        return content


def is_posted(program: Program | None, *, key: str) -> bool:
    """Return whether the program has a talk with this Idempotency-Key."""
    return Talk.objects.filter(program=program, idempotency_key=key).exists()


@admin.register(Talk)
class TalkAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Talks are posted, corrected and deleted; a posted talk keeps its recording and program."""

    list_display = ["title", "program", "duration", "posted_at"]
    list_filter = ["posted_at"]
    list_select_related = ["program"]
    search_fields = ["title", "program__title"]
    autocomplete_fields = ["program"]
    show_full_result_count = False

    def get_fields(self, request: HttpRequest, obj: Talk | None = None) -> list[Any]:
        """Return the fields of a new talk, or those of a posted one."""
        fields = ["program", "title", "description", "audio"]
        return [*fields, "duration", "posted_at"] if obj else [*fields, "once"]

    def get_readonly_fields(self, request: HttpRequest, obj: Talk | None = None) -> list[str]:
        return ["program", "audio", "duration", "posted_at"] if obj else []

    def get_form(
        self, request: HttpRequest, obj: Talk | None = None, change: bool = False, **kwargs: Any
    ) -> "type[forms.ModelForm[Talk]]":
        """Return TalkForm for a new talk, Django's own form for a posted one."""
        form = {} if obj else {"form": TalkForm}
        return super().get_form(request, obj, change, **kwargs | form)

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Post a talk; say so when the constraint refused a form that came twice at once.

        When the disk is full, say that and show the form again.
        """
        try:
            if "audio" not in request.FILES:
                raise_if_dropped(request.upload_handlers)
            return super().add_view(request, *args, **kwargs)
        except DiskFullError:
            self.message_user(request, DISK_FULL, messages.ERROR)
            request.method = "GET"  # the form that is to be filled in
            return super().add_view(request, *args, **kwargs)
        except IntegrityError:
            self.message_user(request, SENT_BEFORE, messages.WARNING)
            return redirect("admin:programs_talk_changelist")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return what an empty form begins with: what was typed before the disk was full."""
        typed = {name: text for name, text in request.POST.items() if name != "once"}
        return super().get_changeform_initial_data(request) | typed

    def save_model(
        self, request: HttpRequest, obj: Talk, form: "forms.ModelForm[Talk]", change: bool
    ) -> None:
        """Save the talk, a new one with its recording. Saving a new talk notifies its listeners."""
        if isinstance(form, TalkForm):
            save_with_audio(obj, form.cleaned_data["audio"], form.recording)
        else:
            super().save_model(request, obj, form, change)


@admin.register(Clip)
class ClipAdmin(UncountedListMixin, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["listener", "program", "muted", "created_at"]
    list_filter = ["muted"]
    list_select_related = ["listener", "program"]
    ordering = ["-id"]
    search_fields = ["listener__username__startswith", "program__title__startswith"]
    search_help_text = _("How a username or a program's title begins.")
    autocomplete_fields = ["listener", "program"]
    readonly_fields = ["created_at"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look up listeners and programs first: an OR over two joins would read every clip."""
        if not search_term:
            return queryset, False
        users = User.objects.filter(username__startswith=search_term).order_by()
        programs = Program.objects.filter(title__startswith=search_term).order_by()
        user_ids = list(users.values_list("id", flat=True)[:MOST_FOUND])
        program_ids = list(programs.values_list("id", flat=True)[:MOST_FOUND])
        return queryset.filter(Q(listener__in=user_ids) | Q(program__in=program_ids)), False
