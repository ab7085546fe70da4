"""An official SDK that nobody here wrote sends through the emulator."""

import asyncio
from collections.abc import Iterator

import firebase_admin
import pytest
from firebase_admin import credentials, exceptions, messaging

from fcm_emulator.process import EmulatorProcess

from .conftest import DEADLINE_SECONDS, Client

pytestmark = pytest.mark.engines


@pytest.fixture
def app(fcm: EmulatorProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[firebase_admin.App]:
    """Yield firebase-admin with nothing changed but FCM's address and the trusted authority."""
    address = f"{fcm.url}/v1/projects/{{0}}/messages:send"
    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", address)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(fcm.ca_file))  # requests
    monkeypatch.setenv("SSL_CERT_FILE", str(fcm.ca_file))  # httpx
    certificate = credentials.Certificate(str(fcm.service_account_file))
    app = firebase_admin.initialize_app(
        certificate, {"httpTimeout": DEADLINE_SECONDS}, name="emulator"
    )
    yield app
    firebase_admin.delete_app(app)


def message(fid: str) -> messaging.Message:
    return messaging.Message(
        fid=fid, notification=messaging.Notification("夜のラジオ", "第42回"), data={"talk_id": "42"}
    )


def test_a_message_arrives_as_it_was_written(
    app: firebase_admin.App, client: Client, token: str
) -> None:
    name = messaging.send(message(token), app=app)

    assert name.startswith("projects/radiotalk-emulator/messages/")
    entry = client.entries(token)[0]
    assert (entry["kind"], entry["title"], entry["body"]) == ("fid", "夜のラジオ", "第42回")
    assert (entry["verdict"], entry["data"]) == ("accepted", {"talk_id": "42"})


def test_a_registration_token_can_still_be_sent_to(
    app: firebase_admin.App, client: Client, token: str
) -> None:
    with pytest.warns(DeprecationWarning, match="token"):
        deprecated = messaging.Message(token=token)

    messaging.send(deprecated, app=app)

    assert client.entries(token)[0]["kind"] == "token"


def test_a_dry_run_is_validated(app: firebase_admin.App, client: Client, token: str) -> None:
    messaging.send(message(token), dry_run=True, app=app)

    assert [entry["verdict"] for entry in client.entries(token)] == ["validated"]


@pytest.mark.parametrize(
    ("marker", "error"),
    [
        ("unregistered", messaging.UnregisteredError),
        ("mismatch", messaging.SenderIdMismatchError),
        ("thirdparty", messaging.ThirdPartyAuthError),
        ("429afternone", messaging.QuotaExceededError),
        ("invalid", exceptions.InvalidArgumentError),
        ("forbidden", exceptions.PermissionDeniedError),
        ("notfound", exceptions.NotFoundError),
        ("http502", exceptions.UnknownError),
    ],
)
def test_an_error_is_recognised_by_its_class(
    app: firebase_admin.App, token: str, marker: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        messaging.send(message(f"{token}-{marker}"), app=app)

    assert type(caught.value) is error


def test_the_sdk_gets_a_new_access_token_by_itself(
    app: firebase_admin.App, client: Client, token: str
) -> None:
    messaging.send(message(f"{token}-expiredauth"), app=app)

    statuses = [entry["status"] for entry in client.entries(f"{token}-expiredauth")]
    assert statuses == [401, 200]


def test_the_sdk_sends_twice_when_the_connection_is_reset(
    app: firebase_admin.App, client: Client, token: str
) -> None:
    with pytest.raises(exceptions.UnavailableError):
        messaging.send(message(f"{token}-reset-after"), app=app)

    verdicts = [entry["verdict"] for entry in client.entries(f"{token}-reset-after")]
    assert verdicts == ["accepted", "accepted"]  # the double that this project exists to prevent


def test_many_are_sent_over_http2(app: firebase_admin.App, client: Client, token: str) -> None:
    messages = [message(f"{token}-{number}") for number in range(10)]

    async def send_and_close() -> messaging.BatchResponse:
        batch = await messaging.send_each_async(messages, app=app)
        # The SDK would close its connections in another event loop, which fails.
        await messaging._get_messaging_service(app)._async_client.aclose()
        return batch

    batch = asyncio.run(send_and_close())

    assert batch.success_count == 10
    assert {client.entries(f"{token}-{number}")[0]["http"] for number in range(10)} == {"2"}
