"""No byte of a body that is too large is read; slow bodies take no place from anybody."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from programs.models import Program, Talk
from programs.tests.factories import ProgramFactory, UserFactory
from programs.tests.recordings import WAV_HERTZ, wav
from radiotalk.middleware.body_limit import SMALL, limit_bodies
from radiotalk.middleware.request_limit import REQUEST_LIMIT, limit_requests
from radiotalk.wsgi import answered_first

DEADLINE_SECONDS = 10
TOO_LARGE = 300_000_000
AS_LARGE_AS_A_RECORDING = 100_000_000
DESK = "/admin/programs/talk/add/"
CSRF = "c" * 32


class Untouched:
    """A body that nobody may read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("The body was read.")

    readline = read


def post(client: Client, path: str, length: int, **headers: str) -> HttpResponse:
    """Return the answer to a large form, of which no byte may be read."""
    body: dict[str, Any] = {
        "wsgi.input": Untouched(),
        "CONTENT_LENGTH": str(length),
        "CONTENT_TYPE": "multipart/form-data; boundary=x",
    }
    return client.generic("POST", path, headers=headers, **body)  # type: ignore[return-value]


def browser_of(user: User | None) -> Client:
    """Return a browser that has cookies, and in which somebody may have logged in."""
    browser = Client(enforce_csrf_checks=True)
    if user:
        browser.force_login(user)
    browser.cookies["csrftoken"] = CSRF
    return browser


@pytest.fixture
def program(db: None) -> Program:
    """Return a program."""
    return ProgramFactory.create()


@pytest.fixture
def at_desk(db: None) -> User:
    """Return somebody who posts talks at the desk."""
    anna: User = UserFactory.create(username="anna", is_staff=True)
    anna.user_permissions.set(Permission.objects.filter(codename="add_talk"))
    return anna


@pytest.mark.parametrize(
    "path",
    ["/api/v1/auth/token/", "/admin/login/", "/media/x", "/api/v1/programs/", "/nowhere", DESK],
)
def test_nobodys_form_of_300_mb_is_refused_before_a_byte_of_it_is_read(db: None, path: str) -> None:
    answer = post(browser_of(None), path, TOO_LARGE)

    assert answer.status_code == 413
    assert path.startswith("/api/") == (answer.headers["Content-Type"] == "application/json")


def test_more_than_a_recording_is_refused_to_its_programs_owner_too(program: Program) -> None:
    length = settings.AUDIO_MAX_BYTES + SMALL + 1

    answer = post(browser_of(program.owner), f"/api/v1/programs/{program.pk}/talks/", length)

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({}, 401), ({"Authorization": "Token nonsense"}, 401), ({"X-CSRFToken": CSRF}, 401)],
)
def test_nobodys_recording_is_refused_before_a_byte_of_it_is_read(
    program: Program, headers: dict[str, str], expected: int
) -> None:
    path = f"/api/v1/programs/{program.pk}/talks/"

    assert post(browser_of(None), path, AS_LARGE_AS_A_RECORDING, **headers).status_code == expected


def test_a_recording_without_the_csrf_token_or_for_anothers_program_is_not_read(
    program: Program,
) -> None:
    own, anothers = (
        f"/api/v1/programs/{each.pk}/talks/" for each in (program, ProgramFactory.create())
    )
    browser = browser_of(program.owner)

    forged = post(browser, own, AS_LARGE_AS_A_RECORDING)
    stray = post(browser, anothers, AS_LARGE_AS_A_RECORDING, **{"X-CSRFToken": CSRF})

    assert (forged.status_code, stray.status_code) == (403, 404)


def test_the_desk_reads_no_recording_of_who_may_not_post_it(db: None, at_desk: User) -> None:
    at_desk.user_permissions.clear()
    fan: User = UserFactory.create()

    for user in (None, fan, at_desk):
        answer = post(browser_of(user), DESK, AS_LARGE_AS_A_RECORDING)
        assert answer.status_code == 403
        assert "log in as somebody who may add talks" in answer.content.decode()


def test_who_may_post_a_recording_does(program: Program, at_desk: User) -> None:
    content = wav(2 * SMALL / WAV_HERTZ)
    token = {"X-CSRFToken": CSRF}

    by_api = browser_of(program.owner).post(
        f"/api/v1/programs/{program.pk}/talks/",
        {"title": "Owls", "audio": SimpleUploadedFile("a.wav", content)},
        headers=token,
    )
    at_the_desk = browser_of(at_desk).post(
        DESK,
        {"title": "Bats", "program": program.pk, "audio": SimpleUploadedFile("a.wav", content)},
        headers=token,
    )

    assert (by_api.status_code, at_the_desk.status_code) == (201, 302)
    assert Talk.objects.count() == 2


@pytest.mark.parametrize(
    "told",
    [
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        *({"CONTENT_LENGTH": length} for length in ("many", "-1", "+9", "1_0")),
    ],
)
def test_a_body_of_unknown_length_is_refused(told: dict[str, Any]) -> None:
    answer = Client().post("/api/v1/auth/token/", {}, **told)

    assert answer.status_code == 411
    assert "Content-Length" in answer.json()["detail"]


def test_who_goes_away_in_the_middle_of_a_body_is_no_error_of_ours() -> None:
    class Gone(Untouched):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    handle = limit_bodies(lambda request: HttpResponse())
    request = RequestFactory().post("/", **{"wsgi.input": Gone(), "CONTENT_LENGTH": "9"})  # type: ignore[arg-type]

    assert handle(request).status_code == 400


def test_slow_bodies_take_nobodys_place() -> None:
    release = threading.Event()
    waiting = threading.Semaphore(0)

    class Slow(Untouched):
        def read(self, size: int = -1) -> bytes:
            waiting.release()
            release.wait(3 * DEADLINE_SECONDS)
            return b"x" * size

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(len(request.body)))

    handle = limit_bodies(limit_requests(view))
    make = RequestFactory().post
    slow: dict[str, Any] = {"wsgi.input": Slow(), "CONTENT_LENGTH": "9"}
    with ThreadPoolExecutor(REQUEST_LIMIT + 1) as clients:
        begun = [
            clients.submit(handle, make("/admin/login/", **slow)) for _ in range(REQUEST_LIMIT)
        ]
        for _ in begun:
            assert waiting.acquire(timeout=DEADLINE_SECONDS)

        answer = clients.submit(handle, make("/", b"now", content_type="text/plain"))

        try:
            assert answer.result(DEADLINE_SECONDS).status_code == 200
        finally:
            release.set()
    assert {each.result().content for each in begun} == {b"9"}  # type: ignore[attr-defined]


def test_a_client_gets_its_answer_first_and_then_the_rest_is_dropped() -> None:
    told: list[str] = []

    class Answer:
        def __iter__(self) -> Any:
            yield b"no"

        def close(self) -> None:
            told.append("closed")

    class Body:
        chunks = [b"x" * 10, b"x", b""]

        def read(self, size: int) -> bytes:
            told.append("read")
            return self.chunks.pop(0)

    answer: Any = answered_first(Answer(), Body())  # type: ignore[arg-type]

    assert next(answer) == b"no"
    assert told == []
    assert list(answer) == []
    assert told == ["closed", "read", "read", "read"]
