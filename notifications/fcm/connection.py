"""One HTTP/2 connection to FCM with up to a hundred requests at once. Only this module uses pycurl.

One attempt is one POST. libcurl would send a request again on its own when a reused connection
dies before the answer; it cannot when the body cannot be rewound (a READFUNCTION without a
SEEKFUNCTION): then it reports error 65, and the server saw exactly one (measured on HTTP/1.1 and
HTTP/2, for reset, close, RST_STREAM, GOAWAY and REFUSED_STREAM).

The class is long because half of it keeps libcurl from decisions of its own: when to connect anew,
how much to send before SETTINGS are read, and which dead connection to use again. The cost of each
stands beside it, the reasons in docs/decisions/0006 and 0007.
"""

import math
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import certifi
import pycurl

from notifications import failpoints

from .outcomes import NOTHING_WAS_SENT, Answer

# FCM's SETTINGS_MAX_CONCURRENT_STREAMS is about this; more brings GOAWAY.
STREAMS = 100

# Where FCM_ENDPOINT speaks only HTTP/1.1, this many connections a lane. With HTTP/2 it is one: more
# than its server takes at once waits for a stream, while each further connection would be sent all
# that waits, before its SETTINGS are read.
CONNECTIONS = 25

# The error of a request whose only purpose was to warm the connection.
WARM = pycurl.E_ABORTED_BY_CALLBACK

# What libcurl tells of a TLS 1.3 record that is neither handshake nor alert (RFC 8446, 5.1).
APPLICATION_DATA = b"\x17"

CONNECT_TIMEOUT_SECONDS = 10

# An idle connection is kept for hours, and what lies between forgets it after minutes, often
# without a word: all that is sent then ends as unknown. So TCP asks whether it is still there.
KEEPALIVE_SECONDS = 15

# How often to look after what gives no sign on a socket.
LOOK_SECONDS = 0.01

# The other end sends no more (on Linux); POLLHUP and POLLERR are told in any case.
AN_END = getattr(select, "POLLRDHUP", 0)

# It ended, or said something: GOAWAY perhaps.
A_WORD = select.POLLIN | AN_END
NO_SOCKET = -1

# FCM's answers have some hundred bytes.
MOST_ANSWER_BYTES = 64 * 1024

# libcurl's own are 16 and 64 KiB for each request in flight: 4,000 of them took 270 MB.
BUFFER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to POST, whom to trust, and how long one attempt may take in all, in seconds."""

    url: str
    ca_file: str
    timeout: float


class Connection:
    """Requests in flight on one connection. Not thread-safe: one lane owns it."""

    # Lanes drive libcurl in turns. It calls back for each body and each answer, and callbacks of
    # several lanes at once fight for the interpreter: that cost a third of the CPU (measured).
    _turn = threading.Lock()

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._multi = new_multi()
        self._connections = 1  # at most, till it is seen to speak only HTTP/1.1
        self._socket = NO_SOCKET  # of the connection, since nothing is in flight on it
        self._signs = A_WORD  # of its death
        self._idle: list[pycurl.Curl] = []
        self._warmer = self._new_warmer()
        self._started = False  # since libcurl was driven last
        self._known: int | None = None  # the connection that answered last
        self._scout: Any = None  # the request that goes ahead
        self._is_open = False  # for those that follow it
        self._held_back: list[Any] = []  # till then
        self._is_mute = False  # a request's time was up, and none was answered since
        self._wake_up, self._woken = socket.socketpair()
        self._wake_up.setblocking(False)
        self._woken.setblocking(False)
        self.in_flight = 0

    def wake(self) -> None:
        """End a `wait`, from any thread."""
        with suppress(OSError):  # full: it is awake; closed: it is gone
            self._wake_up.send(b"!")

    def post(self, key: object, body: bytes, *, authorization: str) -> None:
        """Start the one POST of an attempt; `wait` returns its answer with `key`."""
        handle = self._idle.pop() if self._idle else self._new_handle()
        handle.key = key
        handle.answer = bytearray()
        handle.setopt(pycurl.POSTFIELDSIZE_LARGE, len(body))
        handle.setopt(pycurl.READFUNCTION, reader(body))
        handle.setopt(pycurl.WRITEFUNCTION, handle.answer.extend)
        handle.setopt(pycurl.VERBOSE, 0)
        if handle.authorization != authorization:
            handle.setopt(pycurl.HTTPHEADER, headers(authorization))
            handle.authorization = authorization
        self._start(handle)

    def warm(self) -> None:
        """Connect ahead, or keep the connection, without a request: FCM sees only messages.

        libcurl asks before it sends the request, and is told not to; it keeps the connection
        (CURLOPT_PREREQFUNCTION). `wait` returns the aborted request with the key None.
        """
        self._warmer.answer.clear()
        self._start(self._warmer)

    def wait(self, seconds: float) -> list[tuple[Any, Answer]]:
        """Return the answers that came, after waiting up to `seconds` for the network to move."""
        answers = self._drive() if self._started else []
        if not answers and self.in_flight and self._moves(seconds):
            answers = self._drive()
        while self._let_go():
            answers += self._drive()
        return answers

    def rest(self, seconds: float) -> None:
        """Let answers gather for so long, or until woken."""
        self._poll({}, seconds)

    def close(self) -> None:
        """Close the multi first: closing handles with a live TLS connection costs 50 ms each."""
        self._multi.close()
        self._held_back.clear()
        self._idle.clear()
        self._wake_up.close()
        self._woken.close()

    def _start(self, handle: Any) -> None:
        if not self.in_flight:
            self._leave_if_dead()
            self._is_open = False
        self.in_flight += 1
        self._held_back.append(handle)
        self._let_go()

    def _let_go(self) -> bool:
        """Hand libcurl all that waits, or one alone that finds out what connection there is.

        A server says in its SETTINGS how many requests it takes at once, and refuses more, which
        ends as unknown. So the others follow when the one is on a connection that is known, or
        libcurl has read anything from a new one: SETTINGS are the first thing that a server says
        (RFC 9113, 3.4). Return whether anything was handed over.
        """
        going: list[Any] = []
        if self._may_follow():
            going, self._held_back = self._held_back, going
        elif 0 < self.in_flight == len(self._held_back):
            going = [self._held_back.pop(0)]
            self._send_ahead(going[0])
        for handle in going:
            self._multi.add_handle(handle)
            self._started = True
        return bool(going)

    def _may_follow(self) -> bool:
        return self._is_open and not self._is_mute

    def _send_ahead(self, scout: Any) -> None:
        self._scout = scout
        scout.setopt(pycurl.VERBOSE, 1)
        self._allow(1)

    def _heard(self, kind: int, data: bytes) -> None:
        """libcurl read or wrote something for the request that goes ahead.

        With TLS 1.2 it tells nothing of the kind; then the others follow with the first answer.
        """
        if kind == pycurl.INFOTYPE_SSL_DATA_IN and data == APPLICATION_DATA:
            self._is_open = True

    def _connects(self, _descriptor: int, _purpose: int) -> int:
        """Return whether libcurl may connect: with HTTP/2, only for what goes alone.

        It leaves a connection without a word, after GOAWAY or a refused request; what it has to
        send would all go on the next one before its SETTINGS are read.
        """
        alone = self.in_flight - len(self._held_back) == 1
        return int(pycurl.SOCKOPT_OK if alone or self._connections > 1 else pycurl.SOCKOPT_ERROR)

    def _drive(self) -> list[tuple[Any, Answer]]:
        """Send and receive what can be without waiting; return the answers that are complete."""
        with self._turn:
            self._multi.perform()
        self._started = False
        if self._scout and self._scout.getinfo(pycurl.CONN_ID) == self._known:
            self._is_open = True
        return self._finished()

    def _moves(self, seconds: float) -> bool:
        """Return whether libcurl has anything to do, after waiting for that or for `wake`."""
        readable, writable, _ = self._multi.fdset()
        timeout = self._multi.timeout()  # in milliseconds, -1 for none
        if not readable and not writable:  # it resolves a name, say
            seconds = min(seconds, LOOK_SECONDS)
        due = 0 <= timeout <= seconds * 1000
        sockets = dict.fromkeys(readable, select.POLLIN)
        for descriptor in writable:
            sockets[descriptor] = sockets.get(descriptor, 0) | select.POLLOUT
        moved = self._poll(sockets, timeout / 1000 if due else seconds)
        return moved or due or not sockets

    def _poll(self, sockets: dict[int, int], seconds: float) -> bool:
        """Return whether anything came of the sockets within the time, which `wake` ends."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        for descriptor, events in sockets.items():
            poll.register(descriptor, events)
        ready = {descriptor for descriptor, _ in poll.poll(math.ceil(seconds * 1000))}
        if self._woken.fileno() in ready:
            with suppress(BlockingIOError):
                self._woken.recv(1024)
        return bool(ready - {self._woken.fileno()})

    def _leave_if_dead(self) -> None:
        """Start over without a connection that the other end gave up while it was idle.

        libcurl looks for that at most once a second; what it sends till then ends as unknown. One
        that has anything else to say (a PING) is left for a new one as well, which costs a
        handshake and no answer.
        """
        if self._socket != NO_SOCKET and shows(self._socket, self._signs):
            self._leave()
        self._socket = NO_SOCKET

    def _leave(self) -> None:
        self._multi.close()
        self._multi = new_multi()
        self._connections = 1
        self._known = None
        self._socket = NO_SOCKET

    def _finished(self) -> list[tuple[Any, Answer]]:
        _queued, succeeded, failed = self._multi.info_read()
        ended = [(handle, 0) for handle in succeeded]
        ended += [(handle, error) for handle, error, _message in failed]
        answers = []
        for handle, error in ended:
            if self._was_left_behind(handle, error):
                self._hold_back_again(handle)
            else:
                answers += self._take(handle, error)
        return answers

    def _was_left_behind(self, handle: Any, error: int) -> bool:
        """Return whether a request found no connection any more, and was not to make one."""
        is_aborted = error == pycurl.E_ABORTED_BY_CALLBACK and handle is not self._warmer
        return is_aborted and not handle.getinfo(pycurl.REQUEST_SIZE)

    def _hold_back_again(self, handle: Any) -> None:
        self._multi.remove_handle(handle)
        self._held_back.append(handle)
        self._is_open, self._scout = False, None

    def _take(self, handle: Any, error: int) -> list[tuple[Any, Answer]]:
        """Return the request's key and answer, and keep its handle for the next.

        When it went ahead and got none, so are those answered that waited: they were not sent.
        """
        timed_out = error == pycurl.E_OPERATION_TIMEDOUT
        if timed_out and not handle.getinfo(pycurl.REQUEST_SIZE):
            # The time was up before there was a connection: no byte of the request left.
            error = pycurl.E_COULDNT_CONNECT
        answer = Answer(
            error=error,
            status=handle.getinfo(pycurl.RESPONSE_CODE),
            body=bytes(handle.answer),
            retry_after=handle.getinfo(pycurl.RETRY_AFTER),
        )
        if self.in_flight == 1:
            self._watch(handle)
        self._multi.remove_handle(handle)
        if handle is not self._warmer:
            self._idle.append(handle)
        self.in_flight -= 1
        if not error:
            self._learn(handle)
        elif timed_out:
            self._doubt(handle)
        if handle is not self._scout:
            return [(handle.key, answer)]
        self._scout = None
        gives_up = error not in (0, WARM) and not self._may_follow()
        return [(handle.key, answer), *(self._give_up_held_back(error) if gives_up else ())]

    def _learn(self, answered: Any) -> None:
        """The connection is known by its answer."""
        self._known = answered.getinfo(pycurl.CONN_ID)
        self._is_mute = False
        self._is_open |= answered is self._scout
        is_http1 = answered.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_1_1
        self._allow(CONNECTIONS if is_http1 else 1)

    def _doubt(self, unanswered: Any) -> None:
        """A request's time was up: till the next answer one goes alone, on a new connection.

        libcurl keeps one that was cut off without a word, which TCP notices after a quarter of an
        hour. But not after its first request: a server that lets only that one hang is there.
        """
        self._is_mute = True
        nothing_is_sent = self.in_flight == len(self._held_back)
        if nothing_is_sent and not unanswered.getinfo(pycurl.NUM_CONNECTS):
            self._leave()

    def _allow(self, connections: int) -> None:
        if connections != self._connections:
            self._connections = connections
            self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, connections)

    def _give_up_held_back(self, error: int) -> list[tuple[Any, Answer]]:
        handles, self._held_back = self._held_back, []
        self._idle += handles
        self.in_flight -= len(handles)
        unsent = Answer(error if error in NOTHING_WAS_SENT else pycurl.E_COULDNT_CONNECT)
        return [(handle.key, unsent) for handle in handles]

    def _watch(self, last: Any) -> None:
        """Remember the connection on which nothing is in flight after this one."""
        self._socket = last.getinfo(pycurl.ACTIVESOCKET)
        if last is not self._warmer:
            self._signs = A_WORD
        elif last.getinfo(pycurl.NUM_CONNECTS):  # its SETTINGS are read with the first answer
            self._signs = AN_END

    def _new_handle(self) -> Any:
        handle: Any = pycurl.Curl()
        handle.authorization = None
        for option, value in {
            pycurl.URL: self._endpoint.url,
            pycurl.POST: 1,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2TLS,
            pycurl.PIPEWAIT: 1,  # share the connection rather than open another one
            pycurl.CAINFO: self._endpoint.ca_file or certifi.where(),
            pycurl.SSL_VERIFYPEER: 1,
            pycurl.SSL_VERIFYHOST: 2,
            pycurl.FOLLOWLOCATION: 0,
            pycurl.CONNECTTIMEOUT: CONNECT_TIMEOUT_SECONDS,
            pycurl.TCP_KEEPALIVE: 1,
            pycurl.TCP_KEEPIDLE: KEEPALIVE_SECONDS,
            pycurl.TCP_KEEPINTVL: KEEPALIVE_SECONDS,
            pycurl.TIMEOUT_MS: int(self._endpoint.timeout * 1000),
            pycurl.MAXFILESIZE: MOST_ANSWER_BYTES,
            pycurl.PROXY: "",  # no proxy of the environment's sees a device token
            pycurl.NOSIGNAL: 1,
            pycurl.BUFFERSIZE: BUFFER_BYTES,
            pycurl.UPLOAD_BUFFERSIZE: BUFFER_BYTES,
            pycurl.DEBUGFUNCTION: self._heard,
            pycurl.SOCKOPTFUNCTION: self._connects,
        }.items():
            handle.setopt(option, value)
        return handle

    def _new_warmer(self) -> Any:
        handle = self._new_handle()
        handle.setopt(pycurl.POST, 0)
        handle.setopt(pycurl.NOBODY, 1)
        handle.setopt(pycurl.PREREQFUNCTION, lambda *_: pycurl.PREREQFUNC_ABORT)
        handle.key, handle.answer = None, bytearray()
        return handle


def reader(body: bytes) -> Callable[[int], bytes]:
    """Return what libcurl takes the body from, once."""
    read = BytesIO(body).read
    if not failpoints.armed:
        return read

    def reached(size: int) -> bytes:
        failpoints.reach("request_written")
        return read(size)

    return reached


def new_multi() -> Any:
    """Return what drives many requests at once, on one connection."""
    multi: Any = pycurl.CurlMulti()
    multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
    multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)
    multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS)
    return multi


def shows(descriptor: int, signs: int) -> bool:
    """Return whether a socket shows one of these signs or an error, or there is no such socket."""
    poll = select.poll()
    poll.register(descriptor, signs)
    return bool(poll.poll(0))


def headers(authorization: str) -> list[str]:
    """Return the headers; without an empty Expect libcurl would ask before it sends the body."""
    return [f"Authorization: {authorization}", "Content-Type: application/json", "Expect:"]
