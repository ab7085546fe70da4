"""A running emulator, and a client that talks to it as an application developer's code would."""

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import google.auth.transport.requests
import httpx
import pytest
import requests
from google.oauth2 import service_account

from fcm_emulator.journal import Entry
from fcm_emulator.process import EmulatorProcess, running

DEADLINE_SECONDS = 120.0  # for a busy machine, no expectation
SCOPES = ["https://www.googleapis.com/auth/firebase.messaging"]


@dataclass(frozen=True)
class Client:
    """Sends to an emulator with an access token that the emulator gave."""

    fcm: EmulatorProcess
    http: httpx.Client
    credentials: Any

    def refresh(self) -> None:
        """Get a newer access token, by Google's own library."""
        with requests.Session() as session:
            session.trust_env = False  # REQUESTS_CA_BUNDLE, where set, would beat `verify`
            session.verify = str(self.fcm.ca_file)
            self.credentials.refresh(google.auth.transport.requests.Request(session))

    def post(self, content: Any, *, project: str | None = None, **kwargs: Any) -> httpx.Response:
        """Send a body; JSON unless it is bytes."""
        url = f"{self.fcm.url}/v1/projects/{project or self.credentials.project_id}/messages:send"
        headers = {"Authorization": f"Bearer {self.credentials.token}"} | kwargs.pop("headers", {})
        body = {"content": content} if isinstance(content, bytes) else {"json": content}
        return self.http.post(url, headers=headers, **body, **kwargs)

    def send(self, token: str, **kwargs: Any) -> httpx.Response:
        """Send a small valid message to a token."""
        message = {"token": token, "notification": {"title": "Night Radio", "body": "Episode 42"}}
        return self.post({"message": message}, **kwargs)

    def entries(self, token: str) -> list[Entry]:
        """Return the journal's lines about a token."""
        return [entry for entry in self.fcm.entries() if entry["token"] == token]


@contextlib.contextmanager
def connect(fcm: EmulatorProcess, *, http2: bool = True) -> Iterator[Client]:
    """Yield a client with a fresh access token."""
    context = ssl.create_default_context(cafile=str(fcm.ca_file))
    credentials = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
        str(fcm.service_account_file), scopes=SCOPES
    )
    with httpx.Client(http2=http2, verify=context, timeout=DEADLINE_SECONDS) as http:
        client = Client(fcm, http, credentials)
        client.refresh()
        yield client


def wait_until(condition: Callable[[], Any]) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def fcm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """Yield an emulator for all tests that do not break it; each test uses tokens of its own."""
    with running(tmp_path_factory.mktemp("emulator")) as process:
        yield process


@pytest.fixture
def client(fcm: EmulatorProcess) -> Iterator[Client]:
    """Yield a client over HTTP/2."""
    with connect(fcm) as connected:
        yield connected


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str:
    """Return a plain registration token that no other test uses."""
    return f"{abs(hash(request.node.nodeid)):x}"
