"""The receiver: listens to Redis on a thread of its own, and turns what it hears into "look now".

Redis-py resubscribes silently after a broken connection and loses what was published meanwhile, so
each (re)subscription is a reason to look. Its health check does not notice a Redis that hangs
(measured), so the receiver pings and watches for the pong itself.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from notifications import channel
from notifications.redis_url import only_redis_errors

from .inbox import Event, HelperDied, TalkPosted, Wake
from .outage import Outage

logger = logging.getLogger(__name__)

PING_SECONDS = 2.0
# A Redis that has not answered a ping for this long hangs: connect anew.
SILENCE_SECONDS = 6.0
RECONNECT_SECONDS = 0.5
# How soon the thread sees that it shall stop.
POLL_SECONDS = 0.5
CONNECT_TIMEOUT_SECONDS = 3.0


class Receiver:
    """Subscribes, and goes on subscribing whatever Redis does, until stopped."""

    def __init__(self, report: Callable[[Event], None]) -> None:
        self._report = report
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receiver", daemon=True)
        self._outage = Outage("redis")
        self._has_told_of_forgery = False

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it takes as long as a connection attempt at most."""
        self._stopping.set()
        self._thread.join(CONNECT_TIMEOUT_SECONDS + POLL_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._listen_while_redis_is_there()
        except BaseException as error:
            # Its text may hold REDIS_URL, and that a password.
            self._report(HelperDied("receiver", type(error).__name__))
            raise

    def _listen_while_redis_is_there(self) -> None:
        """One connection's life."""
        try:
            with (
                channel.connect(timeout=CONNECT_TIMEOUT_SECONDS) as client,
                client.pubsub() as pubsub,
            ):
                with only_redis_errors():
                    pubsub.subscribe(channel.TALK_POSTED_CHANNEL)
                self._listen(pubsub)
        except (redis.RedisError, OSError) as error:
            self._outage.begin(error)
            self._stopping.wait(RECONNECT_SECONDS)

    def _listen(self, pubsub: Any) -> None:
        """Hand on what comes; raise ConnectionError when Redis has fallen silent."""
        heard = pinged = time.monotonic()
        while not self._stopping.is_set():
            with only_redis_errors():
                item = pubsub.get_message(timeout=POLL_SECONDS)
            now = time.monotonic()
            if item is not None:
                heard = now
                self._hand_on(item)
            if now - heard > SILENCE_SECONDS:
                raise redis.ConnectionError(f"no answer for {SILENCE_SECONDS:.0f} s")
            if now - pinged > PING_SECONDS:
                pubsub.ping()
                pinged = now

    def _hand_on(self, item: dict[str, Any]) -> None:
        if item["type"] == "subscribe":
            self._outage.end()
            self._report(Wake("subscribed"))
        elif item["type"] == "message":
            self._report(self._event_of(item["data"]))

    def _event_of(self, message: bytes) -> Event:
        """Return what a message says. One with a wrong HMAC names no talk, and is told once."""
        try:
            named = channel.parse(message)
        except channel.WrongHmacError:
            named = None
            if not self._has_told_of_forgery:
                logger.warning("message.wrong_hmac", extra={"then": "such messages are ignored"})
            self._has_told_of_forgery = True
        return Wake("message") if named is None else TalkPosted(*named)
