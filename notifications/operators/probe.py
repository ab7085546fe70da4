"""A probe: whether a worker could send from this machine, step by step. It reaches nobody.

One message goes the worker's way to FCM, to a token that nobody has, and FCM is only asked to
validate it. The answer that is expected is INVALID_ARGUMENT.
"""

import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from firebase_admin import messaging

from notifications import fcm_config
from notifications.fcm import dial
from notifications.fcm.credentials import AccessToken
from notifications.fcm.endpoint import Endpoint
from notifications.fcm.failures import Failure
from notifications.fcm.key import CredentialsRefusedError, NoAccessTokenError
from notifications.fcm.link import Link
from notifications.fcm.message import ANY_TARGET, complete, split
from notifications.fcm.outcomes import Answer, Meaning, classify
from notifications.fcm.session import Session, State

NOBODYS_TOKEN = "a-probe-of-radiotalk-which-no-device-has"  # noqa: S105

# FCM found the message well-formed, or only the token bad: a worker could send.
COULD_SEND = frozenset({Meaning.ACCEPTED, Meaning.INVALID, Meaning.UNREGISTERED})

LOOK_SECONDS = 0.1  # how often to look whether a time is up, while the network says nothing


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the way says. With a `failure`, a code of the send log's, it is the last."""

    name: str
    told: str
    failure: str = ""


def steps() -> Iterator[Step]:
    """Yield each step as soon as it is done, up to the first that fails."""
    try:
        access = fcm_config.access_token()
    except ValueError as error:
        told = fcm_config.said_of_file("GOOGLE_APPLICATION_CREDENTIALS", error)
        yield Step("service account", told, CredentialsRefusedError.verdict.code)
        return
    yield Step("service account", f"of project {access.project_id}")
    try:
        endpoint = fcm_config.endpoint(access)
    except ValueError as error:
        yield Step("connection", str(error), Failure.NO_TLS)
        return
    try:
        yield name(endpoint)
        secure = dial.connect(endpoint, deadline=time.monotonic() + dial.CONNECT_SECONDS)
    except dial.NotConnectedError as error:
        yield Step("connection", f"{endpoint.authority}: {error}", error.failure)
        return
    yield Step("TLS", f"{secure.version}, to {endpoint.authority}")
    yield Step("ALPN", "HTTP/2")
    session = Session(
        authority=endpoint.authority,
        path=endpoint.path,
        timeout=endpoint.timeout,
        now=time.monotonic(),
    )
    link = Link(secure, session)
    try:
        yield from post(link, access)
    finally:
        link.close()


def name(endpoint: Endpoint) -> Step:
    """Return the addresses of FCM, or of the proxy, which alone resolves FCM's name."""
    host, port = endpoint.proxy_address if endpoint.proxy else (endpoint.host, endpoint.port)
    addresses = ", ".join(str(address[0]) for _family, address in dial.resolve(host, port))
    return Step("proxy" if endpoint.proxy else "name", f"{host} is {addresses}")


def post(link: Link, access: AccessToken) -> Iterator[Step]:
    """Yield the steps on a connection: its settings, the access token, and the answer."""
    session = link.session
    while session.state is State.OPENING:
        look(link)
    if session.state is not State.OPEN:  # it may have said GOAWAY with its SETTINGS
        yield Step("SETTINGS", f"none ({session.failure or 'GOAWAY'})", Failure.NO_SETTINGS)
        return
    yield Step("SETTINGS", f"{session.streams_at_once} requests at once")
    try:
        authorization = access.header()
    except NoAccessTokenError as error:
        yield Step("access token", "none", error.verdict.code)
        return
    yield Step("access token", "given")
    began = time.monotonic()
    session.begin("probe", body(), authorization, now=began)
    while not (answers := session.take_answers()):
        look(link)
    yield from judge(answers[0][1], seconds=time.monotonic() - began)


def look(link: Link) -> None:
    """Move what can be moved, after waiting a moment for the network."""
    link.write(now=time.monotonic())
    poll = select.poll()
    poll.register(link.descriptor, select.POLLIN)
    if poll.poll(LOOK_SECONDS * 1000):
        link.read(now=time.monotonic())
    link.session.tick(now=time.monotonic(), is_wanted=False)


def judge(answer: Answer, *, seconds: float) -> Iterator[Step]:
    """Yield how long the answer took, how far our clock is from FCM's, and last what FCM said.

    The clock is told where the answer's headers were read; those of a usual 200 are not.
    """
    yield Step("latency", f"{seconds * 1000:.0f} ms")
    if answer.date:
        ahead = round((datetime.now(UTC) - answer.date).total_seconds())
        yield Step("clock", f"{abs(ahead)} s {'ahead of' if ahead >= 0 else 'behind'} FCM's")
    verdict = classify(answer)
    if verdict.meaning in COULD_SEND:
        yield Step("answer", f"HTTP {answer.status} {verdict.code}".rstrip())
    else:
        yield Step("answer", answer.failure or f"HTTP {answer.status}", verdict.code)


def body() -> bytes:
    """Return a message to nobody, to be validated only."""
    message = messaging.Message(fid=ANY_TARGET, data={"probe": "1"})
    head, tail = split(message, validate_only=True)
    return complete(head, tail, kind="token", token=NOBODYS_TOKEN)
