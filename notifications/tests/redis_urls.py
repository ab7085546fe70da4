"""Values of REDIS_URL with which redis-py cannot work, each with the password `hunter-two`.

Nothing listens on port 1. With those of the second list redis-py raises only when it connects.
"""

REFUSED = [
    "",
    "redis.internal:6379/hunter-two",
    "http://:hunter-two@127.0.0.1:1/0",
    "redis+tls://:hunter-two@127.0.0.1:1/0",
    "redis://:hunter-two/more@127.0.0.1:1/0",
    "redis://:1/hunter-two@127.0.0.1:1/0",
    "redis://:1?hunter-two=1@127.0.0.1:1/0",
    "redis://:1#hunter-two@127.0.0.1:1/0",
    "redis://:hunter-two@127.0.0.1:99999/0",
    "redis://:hunter-two@[::1/0",
    "redis://:hunter-two@127.0.0.1:1/0?foo=1",
    "redis://:hunter-two@127.0.0.1:1/0?socket_timeout=1&foo=1&bar=2",
    "redis://:hunter-two@127.0.0.1:1/0?db=first",
    "redis://:hunter-two@127.0.0.1:1/0?protocol=9",
    "redis://:hunter-two@127.0.0.1:1/0?ssl_cert_reqs=none",
    "redis://:hunter-two@127.0.0.1:1/0?cache_config=yes",
    "redis://:hunter-two@127.0.0.1:1/0?maint_notifications_config=off",
    "redis://:hunter-two@127.0.0.1:1/0?connection_class=BlockingConnectionPool",
]

FAILING_LATER = [
    "redis://:hunter-two@127.0.0.1:1/0?retry_on_error=ConnectionError",
    "rediss://:hunter-two@127.0.0.1:1/0?ssl_min_version=99",
    "redis://:hunter-two@127.0.0.1:1/0?event_dispatcher=none",
    "redis://:hunter-two@" + "x" * 300 + "/0",
]

UNUSABLE = REFUSED + FAILING_LATER
