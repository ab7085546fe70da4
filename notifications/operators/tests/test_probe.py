"""The probe: it says at which step a worker could not send from here, and reaches nobody."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings

from fcm_emulator.process import EmulatorProcess, running
from notifications.fcm.outcomes import Answer
from notifications.management.errors import Failed, Refused
from notifications.operators import probe
from testbed.hostile import fcm as hostile
from testbed.hostile.certificates import Authority
from testbed.process import LOOPBACK, free_port


@pytest.fixture(scope="module")
def fcm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """Yield an emulator, which gives access tokens too."""
    with running(tmp_path_factory.mktemp("fcm")) as process:
        yield process


@pytest.fixture(autouse=True)
def configured(fcm: EmulatorProcess) -> Iterator[None]:
    """Have the settings speak of the emulator."""
    with override_settings(
        GOOGLE_APPLICATION_CREDENTIALS=str(fcm.service_account_file),
        FCM_ENDPOINT=fcm.url,
        FCM_CA_FILE=str(fcm.ca_file),
    ):
        yield


def failure() -> tuple[str, str]:
    """Return the name and the failure of the last step."""
    last = list(probe.steps())[-1]
    return last.name, last.failure


pytestmark = pytest.mark.engines


def test_a_machine_from_which_a_worker_could_send(fcm: EmulatorProcess) -> None:
    steps = {step.name: step.told for step in probe.steps()}

    assert list(steps) == [
        "service account",
        "name",
        "TLS",
        "ALPN",
        "SETTINGS",
        "access token",
        "latency",
        "answer",
    ]
    assert steps["name"] == f"{LOOPBACK} is {LOOPBACK}"
    assert steps["TLS"].startswith("TLSv1.3")
    assert steps["answer"].startswith("HTTP 200")


def test_the_clock_is_told_beside_an_answer_that_fails() -> None:
    ten_minutes_ago = datetime.now(UTC) - timedelta(minutes=10)

    steps = list(probe.judge(Answer(status=401, date=ten_minutes_ago), seconds=0.1))

    assert [step.name for step in steps] == ["latency", "clock", "answer"]
    assert steps[1].told == "600 s ahead of FCM's"
    assert steps[2].failure == "HTTP_401"


def test_it_reaches_nobody(fcm: EmulatorProcess) -> None:
    before = len(fcm.entries())

    list(probe.steps())

    [entry] = fcm.entries()[before:]
    assert entry["validate_only"] is True
    assert entry["token"] == probe.NOBODYS_TOKEN


def test_the_command_tells_every_step() -> None:
    out = StringIO()

    call_command("sending", "probe", stdout=out)

    assert "TLS" in out.getvalue()
    assert "access token         given" in out.getvalue()


def test_the_command_tells_it_as_json() -> None:
    out = StringIO()

    call_command("sending", "probe", "--json", stdout=out)

    assert json.loads(out.getvalue())["ALPN"] == "HTTP/2"


def test_the_command_fails_with_the_step_and_what_to_do() -> None:
    with (
        override_settings(FCM_ENDPOINT=f"https://{LOOPBACK}:{free_port()}"),
        pytest.raises(Failed) as failed,
    ):
        call_command("sending", "probe", stdout=StringIO())

    assert failed.value.returncode == 1
    assert "NOT_CONNECTED" in str(failed.value)
    assert "FCM, or the proxy in FCM_PROXY, could not be reached" in str(failed.value)


def test_the_command_tells_a_failure_as_json_too() -> None:
    out = StringIO()

    with (
        override_settings(FCM_ENDPOINT=f"https://{LOOPBACK}:{free_port()}"),
        pytest.raises(Failed),
    ):
        call_command("sending", "probe", "--json", stdout=out)

    assert json.loads(out.getvalue())["failure"] == "NOT_CONNECTED"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("FCM_ENDPOINT", "http://fcm.example", "nothing is sent without TLS"),
        ("FCM_PROXY", "http://me:pa/ss@proxy:3128", "FCM_PROXY is no address"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "", "name the service account file"),
    ],
)
def test_settings_with_which_nothing_can_be_sent_are_told_at_once(
    name: str, value: str, told: str
) -> None:
    with override_settings(**{name: value}), pytest.raises(Refused, match=told) as refused:
        call_command("sending", "probe", stdout=StringIO())

    assert "pa/ss" not in str(refused.value)


def test_a_lost_service_account_is_told() -> None:
    with override_settings(GOOGLE_APPLICATION_CREDENTIALS="/nowhere.json"):
        assert failure() == ("service account", "CREDENTIALS_REFUSED")


def test_a_project_that_no_address_can_hold_is_told(fcm: EmulatorProcess, tmp_path: Path) -> None:
    file = tmp_path / "service-account.json"
    account = json.loads(fcm.service_account_file.read_text()) | {"project_id": "ラジオ"}
    file.write_text(json.dumps(account))

    with override_settings(GOOGLE_APPLICATION_CREDENTIALS=str(file)):
        assert failure() == ("service account", "CREDENTIALS_REFUSED")


def test_an_unknown_name_is_told() -> None:
    with override_settings(FCM_ENDPOINT="https://fcm.invalid"):
        assert failure() == ("connection", "NAME_NOT_FOUND")


def test_a_token_endpoint_that_is_away_is_told(fcm: EmulatorProcess, tmp_path: Path) -> None:
    content = json.loads(fcm.service_account_file.read_text())
    content["token_uri"] = f"https://{LOOPBACK}:{free_port()}/token"
    account = tmp_path / "account.json"
    account.write_text(json.dumps(content))

    with override_settings(GOOGLE_APPLICATION_CREDENTIALS=str(account)):
        assert failure() == ("access token", "NO_ACCESS_TOKEN")


@pytest.mark.parametrize(
    ("http2", "days", "code"), [(False, 1, "NO_HTTP2"), (True, -1, "CERTIFICATE_EXPIRED")]
)
def test_what_is_not_fcm_is_told(tmp_path: Path, http2: bool, days: int, code: str) -> None:
    authority = Authority(tmp_path / "authority", "trusted")
    certificate = authority.issue("one", ends=timedelta(days=days))
    with hostile.running(tmp_path / "journal", certificate) as server:
        server.speak(http2=http2)
        with override_settings(FCM_ENDPOINT=server.url, FCM_CA_FILE=str(authority.ca_file)):
            assert failure() == ("connection", code)
