"""What one would take instead of Radiotalk, used as its own documentation says; one run a process.

    python -m benchmarks.peers WAY --targets N --label L --url … --ca-file … --service-account …

Prints JSON: the seconds from the call to its return, CPU seconds meanwhile, peak RSS in MB. Before
the call everything is imported, the access token is fetched and the first connection is made.
"""

import argparse
import asyncio
import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import firebase_admin
import requests.adapters
from firebase_admin import _http_client, credentials, messaging

from benchmarks.measuring import usage

MOST_A_CALL = 500  # send_each's limit
THREADS = 10
MOST_THREADS = 100  # the SDK keeps 100 connections; 200 or 300 threads are no faster

Send = Callable[[list[str], str], None]


@dataclass(frozen=True)
class Spent:
    """What one run took; times in seconds."""

    seconds: float
    cpu: float
    peak_mb: float


def message(token: str | None, label: str) -> messaging.Message:
    """Return the message that Radiotalk sends too."""
    tag = f"talk-{label}"
    return messaging.Message(
        token=token,
        notification=messaging.Notification(title="Night Radio", body="Hello"),
        data={"talk_id": label, "notification_id": label},
        android=messaging.AndroidConfig(
            priority="high", notification=messaging.AndroidNotification(tag=tag)
        ),
        apns=messaging.APNSConfig(headers={"apns-collapse-id": tag}),
        webpush=messaging.WebpushConfig(notification=messaging.WebpushNotification(tag=tag)),
    )


def send(threads: int) -> Send:
    """Return firebase-admin's `send` in a pool of threads."""

    def run(tokens: list[str], label: str) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda token: messaging.send(message(token, label)), tokens))

    return run


def send_each(tokens: list[str], label: str) -> None:
    """Send by firebase-admin's `send_each`."""
    for chunk in chunks(tokens):
        answer = messaging.send_each([message(token, label) for token in chunk])
        check(answer.failure_count)


def send_each_async(tokens: list[str], label: str) -> None:
    """Send by firebase-admin's `send_each_async`, over HTTP/2."""

    async def run() -> None:
        for chunk in chunks(tokens):
            answer = await messaging.send_each_async(
                [message(token, label) for token in chunk], dry_run=False
            )
            check(answer.failure_count)

    asyncio.run(run())


def fcm_django(tokens: list[str], label: str) -> None:
    """Send by fcm-django to the devices in its table, which holds these tokens."""
    from fcm_django.models import FCMDevice

    devices = FCMDevice.objects.filter(registration_id__startswith=f"{len(tokens)}-")
    answer = devices.send_message(message(None, label))
    check(answer.response.failure_count)


WAYS: dict[str, Send] = {
    "firebase-admin send, 10 threads": send(THREADS),
    "firebase-admin send, 100 threads": send(MOST_THREADS),
    "firebase-admin send_each": send_each,
    "firebase-admin send_each_async": send_each_async,
    "fcm-django": fcm_django,
}


def chunks(tokens: list[str]) -> Iterator[list[str]]:
    """Yield the tokens in lists of at most MOST_A_CALL."""
    for start in range(0, len(tokens), MOST_A_CALL):
        yield tokens[start : start + MOST_A_CALL]


def check(failures: int) -> None:
    """Raise when something was not sent: a benchmark of failures would be fast."""
    if failures:
        raise RuntimeError(f"{failures} were not sent.")


def tokens_of(count: int) -> list[str]:
    """Return the tokens of so many devices; `fill` writes the same for fcm-django."""
    return [f"{count}-{'x' * 140}-{number}" for number in range(count)]


def fill(counts: Iterable[int]) -> None:
    """Write fcm-django's devices."""
    from fcm_django.models import FCMDevice

    for count in counts:
        FCMDevice.objects.bulk_create(
            (FCMDevice(registration_id=token, type="android") for token in tokens_of(count)),
            batch_size=5_000,
        )


def start(url: str, ca_file: str, service_account: str) -> None:
    """Point the SDK at the stub, with the connections that it keeps to FCM itself."""
    os.environ |= {"REQUESTS_CA_BUNDLE": ca_file, "SSL_CERT_FILE": ca_file}
    warnings.simplefilter("ignore", DeprecationWarning)
    messaging._MessagingService.FCM_URL = f"{url}/v1/projects/{{0}}/messages:send"
    app = firebase_admin.initialize_app(credentials.Certificate(service_account))
    adapter = requests.adapters.HTTPAdapter(
        pool_connections=100, pool_maxsize=100, max_retries=_http_client.DEFAULT_RETRY_CONFIG
    )
    messaging._get_messaging_service(app)._client.session.mount(url, adapter)


def measure(way: str, targets: int, label: str) -> Spent:
    """Send to so many targets in this way; return what that took."""
    tokens = tokens_of(targets)
    messaging.send(message("a-first-one", "0"))
    began, cpu = time.perf_counter(), time.process_time()
    WAYS[way](tokens, label)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    # Not getrusage's, which a process inherits from the one that started it.
    return Spent(seconds, cpu, usage(os.getpid()).peak_mb)


def main(arguments: list[str] | None = None) -> None:
    """Run one way once, and print what it took."""
    parser = argparse.ArgumentParser("python -m benchmarks.peers", description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--targets", type=int, required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca-file", required=True)
    parser.add_argument("--service-account", required=True)
    options: Any = parser.parse_args(arguments)
    if options.way == "fcm-django":
        import django

        django.setup()
    start(options.url, options.ca_file, options.service_account)
    print(json.dumps(asdict(measure(options.way, options.targets, options.label))))


if __name__ == "__main__":
    main()
