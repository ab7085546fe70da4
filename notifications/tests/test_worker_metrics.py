"""The metrics of a running worker: they say what it did, and cost it nothing when they cannot."""

import socket

import pytest
import requests

from notifications.models import Notification
from testbed.process import LOOPBACK
from testbed.system import System, post

pytestmark = pytest.mark.engines

REQUEST_SECONDS = 60


def test_a_running_worker_tells_what_it_sent(system: System) -> None:
    program = system.listeners(50)
    port = system.reserve_port()
    worker = system.start_worker(METRICS_PORT=str(port))
    system.wait_for_the_log("metrics.served", worker)

    post(program)
    system.wait_until_settled()

    page = requests.get(f"http://{LOOPBACK}:{port}/metrics", timeout=REQUEST_SECONDS).text
    assert 'radiotalk_sending_results_total{outcome="sent"} 50.0' in page
    assert "radiotalk_sending_lease_epoch 1.0" in page
    assert 'radiotalk_sending_token_refreshes_total{result="given"} 1.0' in page


def test_a_worker_whose_port_is_taken_sends_all_the_same_and_says_so(system: System) -> None:
    program = system.listeners(20)
    with socket.create_server((LOOPBACK, 0)) as other:
        worker = system.start_worker(METRICS_PORT=str(other.getsockname()[1]))
        system.wait_for_the_log("metrics.failed", worker)

        notification = post(program)
        system.wait_until_settled()

    notification.refresh_from_db()
    assert (notification.state, notification.sent_count) == (Notification.State.DONE, 20)


def test_somebody_who_connects_and_says_nothing_holds_up_neither_prometheus_nor_the_worker(
    system: System,
) -> None:
    program = system.listeners(20)
    port = system.reserve_port()
    worker = system.start_worker(METRICS_PORT=str(port))
    system.wait_for_the_log("metrics.served", worker)

    with socket.create_connection((LOOPBACK, port)):
        page = requests.get(f"http://{LOOPBACK}:{port}/metrics", timeout=REQUEST_SECONDS)
        post(program)
        system.wait_until_settled()
        worker.wrapper.terminate()
        assert worker.wrapper.wait() == 0

    assert page.status_code == 200
