"""A single message, on a connection of its own: one POST, and what FCM made of it."""

from collections.abc import Callable

from .connection import Connection
from .credentials import AccessToken
from .endpoint import Endpoint
from .key import NoAccessTokenError
from .outcomes import Verdict, classify

WAIT_SECONDS = 0.5  # between two looks; the connection itself ends after FCM_TIMEOUT


def send(
    access: AccessToken, endpoint: Endpoint, body: bytes, *, may_begin: Callable[[], bool]
) -> Verdict:
    """Return what FCM made of the one POST; it is not begun unless it still `may_begin` by then."""
    try:
        authorization = access.header()
    except NoAccessTokenError as error:
        return error.verdict
    connection = Connection(endpoint, may_begin=may_begin)
    try:
        connection.post("single", body, authorization=authorization)
        while not (answers := connection.wait(WAIT_SECONDS)):
            pass
    finally:
        connection.close()
    return classify(answers[0][1])
