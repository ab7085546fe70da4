"""The way to the token endpoint: one POST over verified TLS, to no other address, a bounded answer.

google-auth's own way would follow redirects, with the signed assertion, and read any answer whole.
That the address is https is up to service_account.py.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import requests
from google.auth import exceptions

# Google's answer has some 1,100 bytes.
MOST_ANSWER_BYTES = 64 * 1024
CHUNK_BYTES = 4 * 1024  # what is compressed grows chunk by chunk


class Answer(NamedTuple):
    """What google-auth looks at."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class TokenEndpoint:
    """Sends google-auth's requests, as its `transport.Request` does.

    `timeout` is for each read, in seconds.
    """

    def __init__(self, *, ca_file: str, proxy: str, timeout: float) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no authority of the environment's
        self._session.proxies = {"https": proxy} if proxy else {}
        self._session.verify = ca_file or True
        self._timeout = timeout

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        **kwargs: Any,
    ) -> Answer:
        """Return the answer; raise TransportError for a redirect, and when there is none."""
        try:
            with self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                if answer.is_redirect:
                    raise no_answer("The answer is a redirect: it is not followed.")
                return Answer(answer.status_code, answer.headers, bounded(answer))
        except requests.RequestException as error:
            raise no_answer(error) from error


def bounded(answer: requests.Response) -> bytes:
    """Return the answer's body; raise TransportError when it is too long."""
    body = bytearray()
    for chunk in answer.iter_content(CHUNK_BYTES):
        body += chunk
        if len(body) > MOST_ANSWER_BYTES:
            raise no_answer(f"The answer has over {MOST_ANSWER_BYTES:,} bytes.")
    return bytes(body)


def no_answer(why: object) -> Exception:
    """Return google-auth's error for a request without an answer that can be used."""
    return exceptions.TransportError(why)  # type: ignore[no-untyped-call]  # has no types
