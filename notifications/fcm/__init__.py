"""The way to FCM: the only sockets to FCM, for the worker and the probe.

    single       one message on a connection of its own, for a test
    message      the body of a request, encoded once and completed for each target
    credentials  the access token of the service account, refreshed once for all connections
    key          a key of the service account, and the token that it was given
    token_endpoint  where tokens are given, and how it is asked
    service_account  what a key's file must hold
    outcomes     what an answer of FCM means: the one table
    failures     why there is no answer, in words
    endpoint     where FCM is, and the way there

    connection   what a lane holds: requests that wait, and those in flight
    links        the connections that they are on
    link         one socket and its session
    dial, tls    how a connection comes about, and TLS on it
    session      what one HTTP/2 connection knows and decides, without a socket (RFC 9113)
    streams      the requests in flight on it
    sending      how requests leave: stream ids, limits, windows
    output       what is to be written, and how much of it is
    headers      HPACK, without any state
    frames       bytes to frames, frames to bytes

Each of the latter knows only those below it. Nothing in here knows Django, the settings or a
model: requests and answers are bytes.
"""
