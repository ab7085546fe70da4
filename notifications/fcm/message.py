"""The body of a request: encoded once for all who get the same message, completed for each target.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

import json
from json.encoder import encode_basestring_ascii

from firebase_admin import messaging

# The SDK builds no message without a target; each real target takes the place of this one.
ANY_TARGET = "target"


def split(message: messaging.Message, *, validate_only: bool) -> tuple[bytes, bytes]:
    """Return what stands before and after `"token":"<target>"` in the requests for a message.

    The message is built for ANY_TARGET as its `fid`; with `validate_only` FCM delivers nothing.
    """
    content = json.loads(str(message))
    del content["fid"]
    text = json.dumps(
        {"validate_only": validate_only, "message": content},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    # …"message":{…}}  becomes  …"message":{…,  and  }}
    return text[:-2].encode() + b",", b"}}"


def complete(head: bytes, tail: bytes, *, kind: str, token: str) -> bytes:
    """Return the body for one target; its token is anything that a device may claim."""
    return b"".join((head, f'"{kind}":{encode_basestring_ascii(token)}'.encode(), tail))
