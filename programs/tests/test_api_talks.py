"""Posting talks over HTTP: a good recording is posted once, a bad one leaves nothing behind."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models.signals import post_save
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from accounts.models import ApiToken
from programs.models import Program, Talk
from programs.tests.clients import client_of, overtaken_by
from programs.tests.factories import ProgramFactory, TalkFactory
from programs.tests.recordings import Files, recording, wav


def address(program: Program) -> str:
    return f"/api/v1/programs/{program.pk}/talks/"


def upload(
    api: APIClient,
    program: Program,
    content: bytes | None = None,
    *,
    name: str = "talk.wav",
    key: str | None = None,
    **fields: Any,
) -> Any:
    """Upload a recording, by default a good one, and return the answer."""
    audio = SimpleUploadedFile(name, wav() if content is None else content)
    form = {"title": "Hello", "audio": audio} | fields
    headers = {} if key is None else {"Idempotency-Key": key}
    return api.post(address(program), form, format="multipart", headers=headers)


@pytest.fixture(params=[2_500_000, 0], ids=["in memory", "in a temporary file"])
def where_uploads_wait(request: pytest.FixtureRequest, settings: Settings) -> None:
    """Run a test twice: Django keeps an upload in memory, or in a temporary file."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = request.param


@pytest.mark.usefixtures("where_uploads_wait")
def test_a_posted_talk_has_its_recording_and_tells_where_its_notification_is(
    api: APIClient, program: Program, files: Files
) -> None:
    answer = upload(api, program, wav(0.5), description="Good evening.")

    assert answer.status_code == 201
    talk = Talk.objects.get()
    assert answer.json() == {
        "id": talk.pk,
        "program": program.pk,
        "title": "Hello",
        "description": "Good evening.",
        "audio": f"http://testserver{talk.audio.url}",
        "duration": 0.5,
        "posted_at": answer.json()["posted_at"],
        "notification": f"http://testserver/api/v1/talks/{talk.pk}/notification/",
    }
    assert [path.read_bytes() for path in files()] == [wav(0.5)]


def test_the_stored_name_is_generated_and_ends_with_what_the_content_is(
    api: APIClient, program: Program
) -> None:
    upload(api, program, recording("speech.mp3"), name="../../secret.html")

    stored = str(Talk.objects.get().audio.name)
    assert stored.endswith(".mp3")
    assert "secret" not in stored


def test_the_notification_comes_with_the_talk(api: APIClient, program: Program) -> None:
    answer = upload(api, program)

    progress = api.get(answer.json()["notification"])
    assert progress.json()["state"] == "pending"


def test_another_ones_program_cannot_be_posted_to(
    api: APIClient, other_program: Program, files: Files
) -> None:
    answer = upload(api, other_program)

    assert answer.status_code == 404
    assert not Talk.objects.exists()
    assert files() == []


BAD_RECORDINGS = {
    "nothing": (b"", "empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(500), "image/png"),
    "a text": (b"Dear listeners," * 50, "no recording"),
    "a cut mp3": (recording("speech.mp3")[:-100], "cut off"),
    "a cut m4a": (recording("speech.m4a")[:-100], "cut off"),
    "a cut ogg": (recording("opus.ogg")[:-100], "cut off"),
    "a cut wav": (wav()[:-1], "cut off"),
    "a cut flac": (recording("speech.flac")[:-100], "cut off"),
    "a silent video": (recording("silent-video.mp4"), "without sound"),
    "hours": (wav(3.1), "too long"),
}


@pytest.mark.usefixtures("where_uploads_wait")
@pytest.mark.parametrize("kind", BAD_RECORDINGS)
def test_a_bad_recording_is_refused_and_leaves_nothing(
    api: APIClient, program: Program, files: Files, settings: Settings, kind: str
) -> None:
    settings.AUDIO_MAX_SECONDS = 3
    content, reason = BAD_RECORDINGS[kind]

    answer = upload(api, program, content, name="talk.mp3")

    assert answer.status_code == 400
    assert reason in answer.json()["audio"][0]
    assert not Talk.objects.exists()
    assert files() == []


@pytest.mark.usefixtures("where_uploads_wait")
def test_an_upload_over_the_limit_is_413_and_leaves_nothing(
    api: APIClient, program: Program, files: Files, settings: Settings
) -> None:
    settings.AUDIO_MAX_BYTES = 100_000

    answer = upload(api, program, wav(100))

    assert answer.status_code == 413
    assert "too large" in answer.json()["audio"][0]
    assert not Talk.objects.exists()
    assert files() == []


def test_an_upload_of_exactly_the_limit_is_accepted(
    api: APIClient, program: Program, settings: Settings
) -> None:
    settings.AUDIO_MAX_BYTES = len(wav())

    assert upload(api, program).status_code == 201


def test_several_files_share_the_limit(
    api: APIClient, program: Program, files: Files, settings: Settings
) -> None:
    settings.AUDIO_MAX_BYTES = len(wav()) + 10

    answer = upload(api, program, another=SimpleUploadedFile("a.bin", bytes(500)))

    assert answer.status_code == 413
    assert files() == []


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"title": "Hello"}, "audio"),
        ({"title": "Hello", "audio": "no file"}, "audio"),
        ({"audio": SimpleUploadedFile("a.wav", wav())}, "title"),
        ({"title": "t" * 201, "audio": SimpleUploadedFile("a.wav", wav())}, "title"),
        ({"title": "nul\x00", "audio": SimpleUploadedFile("a.wav", wav())}, "title"),
    ],
    ids=["no audio", "text as audio", "no title", "long title", "NUL"],
)
def test_a_form_with_a_mistake_is_told_which(
    api: APIClient, program: Program, files: Files, form: dict[str, Any], field: str
) -> None:
    answer = api.post(address(program), form, format="multipart")

    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert not Talk.objects.exists()
    assert files() == []


@pytest.mark.parametrize(
    "fields",
    [{"title": "t" * 3_000_000}, {f"field{n}": "x" for n in range(1_001)}],
    ids=["endless title", "many fields"],
)
def test_a_form_out_of_measure_is_400_in_json(
    api: APIClient, program: Program, files: Files, fields: dict[str, Any]
) -> None:
    answer = upload(api, program, **fields)

    assert answer.status_code == 400
    assert "too many fields" in answer.json()["detail"]
    assert files() == []


def test_what_is_no_form_is_415(api: APIClient, program: Program) -> None:
    answer = api.post(address(program), {"title": "Hello"}, format="json")

    assert answer.status_code == 415


def test_a_form_without_a_boundary_is_400(api: APIClient, program: Program) -> None:
    answer = api.post(address(program), b"title=Hello", content_type="multipart/form-data")

    assert answer.status_code == 400


def test_a_failing_transaction_leaves_no_file(
    api: APIClient, program: Program, files: Files
) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError("the database is full")

    post_save.connect(fail, sender=Talk)
    try:
        with pytest.raises(RuntimeError):
            upload(api, program)
    finally:
        post_save.disconnect(fail, sender=Talk)

    assert not Talk.objects.exists()
    assert files() == []


def test_a_session_needs_its_csrf_token_and_with_it_uploads(user: User, program: Program) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    browser.cookies["csrftoken"] = "c" * 32

    def post(**headers: str) -> int:
        form = {"title": "Hello", "audio": SimpleUploadedFile("a.wav", wav())}
        return browser.post(address(program), form, headers=headers).status_code

    assert post() == 403
    assert post(**{"X-CSRFToken": "c" * 32}) == 201


# --- Idempotency-Key -----------------------------------------------------------------------------


def test_a_repeated_key_gets_the_first_talk(api: APIClient, program: Program, files: Files) -> None:
    first = upload(api, program, key="morning-1")
    second = upload(api, program, key="morning-1", name="again.wav")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert Talk.objects.count() == 1
    assert len(files()) == 1


@pytest.mark.parametrize(
    "change", [{"content": wav(0.2)}, {"title": "Other"}, {"description": "Other"}], ids=list
)
def test_a_key_with_other_content_is_422(
    api: APIClient, program: Program, files: Files, change: dict[str, Any]
) -> None:
    upload(api, program, key="morning-1")

    answer = upload(api, program, key="morning-1", **change)

    assert answer.status_code == 422
    assert Talk.objects.count() == 1
    assert len(files()) == 1


def test_words_that_move_from_title_to_description_are_other_content(
    api: APIClient, program: Program
) -> None:
    upload(api, program, key="1", title="ab", description="c")

    answer = upload(api, program, key="1", title="a", description="bc")

    assert answer.status_code == 422


def test_a_key_belongs_to_one_program(api: APIClient, user: User, program: Program) -> None:
    another = ProgramFactory.create(owner=user)

    answers = [upload(api, each, key="morning-1") for each in (program, another)]

    assert answers[0].json()["id"] != answers[1].json()["id"]


def test_without_a_key_every_upload_is_a_talk(api: APIClient, program: Program) -> None:
    for _ in range(2):
        upload(api, program)

    assert Talk.objects.count() == 2


@pytest.mark.parametrize("key", ["", "k" * 256, "nul\0"], ids=["empty", "long", "NUL"])
def test_a_bad_key_is_400(api: APIClient, program: Program, key: str) -> None:
    answer = upload(api, program, key=key)

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()


@pytest.mark.parametrize(("title", "code"), [("Hello", 201), ("Other", 422)])
def test_of_two_at_once_the_database_lets_one_pass(
    api: APIClient,
    program: Program,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    title: str,
    code: int,
) -> None:
    rivals = []

    def rival() -> None:
        monkeypatch.undo()  # nobody overtakes the rival
        rivals.append(upload(api, program, key="morning-1"))

    overtaken_by(monkeypatch, FileSystemStorage, "save", rival)
    answer = upload(api, program, key="morning-1", title=title)

    assert answer.status_code == code
    assert Talk.objects.get().pk == rivals[0].json()["id"]
    assert len(files()) == 1


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_are_one_talk_with_one_notification(program: Program, files: Files) -> None:
    _, token = ApiToken.objects.create(program.owner)

    def post(_: int) -> Any:
        try:
            client = APIClient(headers={"Authorization": f"Token {token}"})
            return upload(client, program, key="morning-1").json()
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))

    talk = Talk.objects.get()
    assert {answer["id"] for answer in answers} == {talk.pk}
    assert api_sees_notification(program, talk)
    assert len(files()) == 1


def test_who_uploads_costs_one_question(program: Program, files: Files) -> None:
    _, token = ApiToken.objects.create(program.owner)
    client = APIClient(headers={"Authorization": f"Token {token}"})
    client.get("/api/v1/programs/")  # a use that is written, once a minute

    with CaptureQueriesContext(connection) as captured:
        assert upload(client, program).status_code == 201

    of_tokens = [each["sql"] for each in captured if ApiToken._meta.db_table in each["sql"]]
    assert len(of_tokens) == 1


def api_sees_notification(program: Program, talk: Talk) -> bool:
    """Return whether the API shows the talk's notification to the program's owner."""
    progress = client_of(program.owner).get(f"/api/v1/talks/{talk.pk}/notification/")
    return progress.status_code == 200


# --- Reading -------------------------------------------------------------------------------------


def test_a_listener_reads_a_talk_but_not_its_notification(
    api: APIClient, other_program: Program
) -> None:
    talk = TalkFactory.create(program=other_program)

    answer = api.get(f"/api/v1/talks/{talk.pk}/")

    assert answer.json()["title"] == talk.title
    assert answer.json()["notification"] is None
    assert api.get(f"/api/v1/talks/{talk.pk}/notification/").status_code == 404


def test_the_talks_of_a_program_are_its_own_newest_first(
    api: APIClient, other_program: Program
) -> None:
    old, new = TalkFactory.create_batch(2, program=other_program)
    TalkFactory.create()

    answer = api.get(address(other_program)).json()

    assert [talk["id"] for talk in answer["results"]] == [new.pk, old.pk]


def test_talks_can_be_narrowed_by_time(api: APIClient, program: Program) -> None:
    old, new = TalkFactory.create_batch(2, program=program)
    Talk.objects.filter(pk=old.pk).update(posted_at=new.posted_at - timedelta(days=2))
    between = (new.posted_at - timedelta(days=1)).isoformat()

    def found(**query: str) -> list[int]:
        return [talk["id"] for talk in api.get(address(program), query).json()["results"]]

    assert found(posted_at_after=between) == [new.pk]
    assert found(posted_at_before=between) == [old.pk]


@pytest.mark.parametrize(
    "moment", ["yesterday", "nul\x00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_a_time_that_is_none_is_400(api: APIClient, program: Program, moment: str) -> None:
    answer = api.get(address(program), {"posted_at_after": moment})

    assert answer.status_code == 400
    assert "posted_at_after" in answer.json()


def test_the_talks_of_no_program_are_404(api: APIClient) -> None:
    assert api.get("/api/v1/programs/7/talks/").status_code == 404


def test_fifty_talks_cost_three_queries(
    api: APIClient, program: Program, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    TalkFactory.create_batch(50, program=program)

    with django_assert_num_queries(3):  # the program, the talks' number, the talks
        api.get(address(program))
