"""Why a request has no answer, in words; and which of them mean that nothing was sent."""

from enum import StrEnum


class Failure(StrEnum):
    """What the send log says of an attempt without an answer; operators/causes.py explains each."""

    # No connection came about.
    NAME_NOT_FOUND = "NAME_NOT_FOUND"
    NOT_CONNECTED = "NOT_CONNECTED"
    PROXY_REFUSED = "PROXY_REFUSED"
    NO_CA_FILE = "NO_CA_FILE"
    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_NOT_YET_VALID = "CERTIFICATE_NOT_YET_VALID"
    CERTIFICATE_OF_ANOTHER_NAME = "CERTIFICATE_OF_ANOTHER_NAME"
    CERTIFICATE_NOT_TRUSTED = "CERTIFICATE_NOT_TRUSTED"
    NO_TLS = "NO_TLS"
    NO_HTTP2 = "NO_HTTP2"
    NO_SETTINGS = "NO_SETTINGS"

    # Connections came about, and none took the request.
    NOT_TAKEN = "NOT_TAKEN"

    # Sending was stopped before a connection took the request, or others had failed on the way.
    NOT_SENT = "NOT_SENT"

    # The server says that it did not process the request (RFC 9113, 8.7).
    NOT_PROCESSED = "NOT_PROCESSED"

    # The request left, wholly or in part, and FCM may have accepted it.
    TIMED_OUT = "TIMED_OUT"
    CONNECTION_LOST = "CONNECTION_LOST"
    STREAM_RESET = "STREAM_RESET"
    BAD_HTTP2 = "BAD_HTTP2"
    ANSWER_TOO_LONG = "ANSWER_TOO_LONG"


# No byte of the request left. With NOT_PROCESSED, these are all that FCM cannot have accepted.
NOTHING_WAS_SENT = frozenset(
    {
        Failure.NAME_NOT_FOUND,
        Failure.NOT_CONNECTED,
        Failure.PROXY_REFUSED,
        Failure.NO_CA_FILE,
        Failure.CERTIFICATE_EXPIRED,
        Failure.CERTIFICATE_NOT_YET_VALID,
        Failure.CERTIFICATE_OF_ANOTHER_NAME,
        Failure.CERTIFICATE_NOT_TRUSTED,
        Failure.NO_TLS,
        Failure.NO_HTTP2,
        Failure.NO_SETTINGS,
        Failure.NOT_TAKEN,
        Failure.NOT_SENT,
    }
)
