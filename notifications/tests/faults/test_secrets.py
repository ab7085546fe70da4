"""Nothing secret leaves the system, whatever breaks."""

from pathlib import Path

import pytest

from testbed.system import System, post

pytestmark = [pytest.mark.engines, pytest.mark.faults]


def test_no_device_token_or_key_is_in_any_log(system: System) -> None:
    program = system.listeners(50, name="secret-device-{}-reset-after")
    key = Path(system.env["GOOGLE_APPLICATION_CREDENTIALS"]).read_text()
    worker = system.start_worker()

    post(program)
    system.wait(lambda: "notification.done" in worker.log.read_text())

    logs = "".join(child.log.read_text() for child in system.children)
    assert "secret-device" not in logs
    assert "Bearer" not in logs
    assert not any(line in logs for line in key.split("\\n") if len(line) > 20)
    system.verify(kills=0)
