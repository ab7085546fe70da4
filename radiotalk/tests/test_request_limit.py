"""No more requests run at once than the database has connections for; the others wait."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from radiotalk.middleware.request_limit import REQUEST_LIMIT, limit_requests

DEADLINE_SECONDS = 10


def test_only_so_many_requests_are_handled_at_once_and_none_is_refused() -> None:
    handled: list[int] = []
    inside = 0
    change = threading.Lock()
    full = threading.Barrier(REQUEST_LIMIT)  # each request stays until the limit is reached

    def view(request: HttpRequest) -> HttpResponse:
        nonlocal inside
        with change:
            inside += 1
            handled.append(inside)
        full.wait(DEADLINE_SECONDS)
        with change:
            inside -= 1
        return HttpResponse()

    handle = limit_requests(view)
    requests = [
        RequestFactory().post("/api/v1/programs/1/talks/") for _ in range(3 * REQUEST_LIMIT)
    ]
    with ThreadPoolExecutor(len(requests)) as clients:
        answers = list(clients.map(handle, requests))

    assert [answer.status_code for answer in answers] == [200] * len(requests)
    assert max(handled) <= REQUEST_LIMIT


def test_healthz_waits_for_nobody() -> None:
    ask = RequestFactory().get
    release = threading.Event()
    began = threading.Semaphore(0)

    def view(request: HttpRequest) -> HttpResponse:
        began.release()
        if request.path != "/healthz":
            release.wait(DEADLINE_SECONDS)
        return HttpResponse()

    handle = limit_requests(view)
    with ThreadPoolExecutor(REQUEST_LIMIT) as clients:
        slow = [clients.submit(handle, ask("/api/v1/programs/")) for _ in range(REQUEST_LIMIT)]
        for _ in slow:
            assert began.acquire(timeout=DEADLINE_SECONDS)

        answer = handle(ask("/healthz"))

        release.set()
    assert answer.status_code == 200


def test_a_thread_of_many_keeps_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(connections, "close_all", lambda: closed.append("all"))
    handle = limit_requests(lambda request: HttpResponse())
    request = RequestFactory().get("/api/v1/programs/")

    handle(request)
    alone = list(closed)
    monkeypatch.setattr(threading, "active_count", lambda: REQUEST_LIMIT + 1)
    handle(request)

    assert (alone, closed) == ([], ["all"])


def test_only_what_reads_no_database_comes_before() -> None:
    place = settings.MIDDLEWARE.index("radiotalk.middleware.request_limit.limit_requests")

    assert settings.MIDDLEWARE[:place] == [
        "django.middleware.security.SecurityMiddleware",
        "csp.middleware.CSPMiddleware",
        "radiotalk.middleware.headers.add_headers",
        "corsheaders.middleware.CorsMiddleware",
        "radiotalk.middleware.body_limit.limit_bodies",
        "radiotalk.middleware.methods.refuse_other_methods",
    ]
