"""What the requests are about: a row of each model, and for each address what is sent there."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from allauth.mfa.webauthn.internal.auth import WebAuthn
from axes.models import AccessFailureLog, AccessLog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from django.contrib.auth.models import Group, User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.http import int_to_base36
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
)

from accounts.models import Act, ApiToken
from accounts.tests.doors import PASSWORD
from notifications.admin.tests.rows import batch, delivery, notification, worker
from notifications.models import (
    AnsweredForm,
    DeviceToken,
    Notification,
    SendingMinute,
    SendingSwitch,
    Standby,
)
from programs.models import Clip, Program, Talk
from programs.tests.factories import TalkFactory
from programs.tests.recordings import wav

from .endpoints import Endpoint

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class World:
    """The number of a row of each model, all of `owner`, who may do what can be done to them."""

    rows: dict[str, Any]
    audio: str
    reset: str

    def path(self, endpoint: Endpoint) -> str:
        """Return the address about the rows of this world."""
        path = PARAMETER.sub(lambda found: str(self.value(endpoint, found[1])), endpoint.address)
        return path + QUERIES.get(endpoint.name, "")

    def value(self, endpoint: Endpoint, parameter: str) -> Any:
        """Return what stands for a parameter; raise KeyError for one that is new to this table."""
        if endpoint.model:
            return self.rows[endpoint.model]
        if parameter in ("pk", "object_id"):
            return self.rows[SHOWN[endpoint.name]]
        return {
            "program_id": self.rows["program"],
            "talk_id": self.rows["talk"],
            "content_type_id": ContentType.objects.get_for_model(Program).pk,
            "app_label": "programs",
            "url": "nowhere",
            "name": self.audio,
            "uidb36": int_to_base36(self.rows["user"]),
            "key": self.reset,
        }[parameter]

    def body(self, endpoint: Endpoint, method: str) -> dict[str, Any]:
        """Return what a request says that means what the address is for."""
        if endpoint.section == "Desk: acts":
            return {**YES, "once": uuid4()}
        if endpoint.section == "Desk: changelist":
            row = self.rows[endpoint.model]
            return {"action": "delete_selected", "_selected_action": row, "post": "yes"}
        if endpoint.section == "Desk: delete":
            return {"post": "yes"}
        body = BODIES.get(endpoint.name, {}).get(method, {})
        return {
            name: self.rows[said.removeprefix("row:")] if str(said).startswith("row:") else said
            for name, said in (body() if callable(body) else body).items()
        }


# Of which model the number in an address is.
SHOWN = {
    "auth-token-detail": "apitoken",
    "program-detail": "program",
    "program-clip": "program",
    "talk-detail": "talk",
    "device-detail": "devicetoken",
    "view_on_site": "program",
    "mfa_remove_webauthn": "authenticator",
    "mfa_edit_webauthn": "authenticator",
}

QUERIES = {"autocomplete": "?app_label=programs&model_name=talk&field_name=program&term="}

YES = {
    "reason": "a test",
    "accepted": "on",
    "minutes": 10,
    "max_audience": 10,
    "word": "LIVE",
}
CREDENTIALS = {"username": "owner", "password": PASSWORD}
NEW_PASSWORD = "an entirely different one"


def recording() -> SimpleUploadedFile:
    """Return a recording to upload."""
    return SimpleUploadedFile("a.wav", wav(), "audio/wav")


BODIES: dict[str, dict[str, Any]] = {
    "auth-token": {"POST": CREDENTIALS},
    "program-list": {"POST": {"title": "Day Radio"}},
    "program-detail": {"PUT": {"title": "Day Radio"}},
    "program-talks": {"POST": lambda: {"title": "Owls", "audio": recording()}},
    "me": {"DELETE": {"password": PASSWORD}},
    "device-list": {"PUT": {"token": "a-token-of-a-new-device", "platform": "web"}},
    "set_language": {"POST": {"language": "ja"}},
    "account_login": {"POST": {"username": "chief", "password": PASSWORD}},
    "account_reauthenticate": {"POST": {"password": PASSWORD}},
    "account_change_password": {
        "POST": {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    },
    "account_reset_password": {"POST": {"email": "owner@radio.example"}},
    "mfa_edit_webauthn": {"POST": {"name": "another name"}},
    "auth_user_add": {
        "POST": {
            "username": "new",
            "usable_password": "true",
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
        }
    },
    "auth_user_change": {
        "POST": {"username": "lena", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    },
    "auth_user_password_change": {
        "POST": {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    },
    "auth_group_add": {"POST": {"name": "new"}},
    "auth_group_change": {"POST": {"name": "renamed"}},
    "programs_program_add": {"POST": {"owner": "row:user", "title": "Day Radio"}},
    "programs_program_change": {"POST": {"owner": "row:user", "title": "Day Radio"}},
    "programs_talk_add": {
        "POST": lambda: {
            "program": "row:program",
            "title": "Owls",
            "audio": recording(),
            "once": uuid4(),
        }
    },
    "programs_talk_change": {"POST": {"title": "Owls, again"}},
    "programs_clip_add": {"POST": {"listener": "row:user", "program": "row:program"}},
    "programs_clip_change": {"POST": {"listener": "row:user", "program": "row:program"}},
}


def credential() -> dict[str, Any]:
    """Return what a browser tells of a new passkey."""
    key = generate_private_key(SECP256R1()).public_key()
    public = ES256.from_cryptography_key(key)  # type: ignore[no-untyped-call]
    data = AuthenticatorData.create(
        bytes(32),
        AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT,
        0,
        AttestedCredentialData.create(Aaguid.NONE, b"number", public),
    )
    client = b'{"type": "webauthn.create", "challenge": "", "origin": "http://testserver"}'
    return {
        "id": websafe_encode(b"number"),
        "rawId": websafe_encode(b"number"),
        "type": "public-key",
        "response": {
            "clientDataJSON": websafe_encode(client),
            "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
        },
        "clientExtensionResults": {},
    }


def make_world(owner: User, chief: User) -> World:
    """Return a row of each model: one notification to which all could be done."""
    now = timezone.now()
    lena = User.objects.create_user("lena")
    row, device = notification("held"), DeviceToken.objects.create(user=owner, token="of-owner")
    assert row.talk
    program = row.talk.program
    Program.objects.filter(pk=program.pk).update(owner=owner)
    delivery(row, device, "unknown")
    other = DeviceToken.objects.create(user=lena, token="of-lena")
    line = delivery(row, other, "abandoned")
    Notification.objects.update(unknown_count=1, abandoned_count=1, target_count=2)
    SendingSwitch.objects.change(changed_by="x", now=now, reason="", mode="dry_run", paused=False)
    token, _text = ApiToken.objects.create(owner)
    failure = AccessFailureLog.objects.create(username="x", ip_address="192.0.2.1")
    log_in = AccessLog.objects.create(username="x", ip_address="192.0.2.1")
    key = WebAuthn.add(chief, "a key", credential()).instance
    rows = {
        "accessfailurelog": failure.pk,
        "accesslog": log_in.pk,
        "act": Act.objects.create(at=now, name="operator.pause", account_name="x").pk,
        "answeredform": AnsweredForm.objects.create(id=uuid4(), by="x", asked="Cancel: x").pk,
        "apitoken": token.pk,
        "authenticator": key.pk,
        "batch": batch(row, [device.id]).pk,
        "clip": Clip.objects.create(listener=owner, program=program).pk,
        "delivery": line.pk,
        "devicetoken": device.pk,
        "group": Group.objects.create(name="nobody").pk,
        "notification": row.pk,
        "program": program.pk,
        "sendingminute": SendingMinute.objects.create(minute=now).pk,
        "sendingswitch": SendingSwitch.ONLY_PK,
        "standby": Standby.objects.create(holder="b:1:x", since=now, heartbeat_at=now).pk,
        "talk": row.talk.pk,
        "user": lena.pk,
        "workerlease": worker(silent_for=timedelta(days=1)).pk,
    }
    recorded: Talk = TalkFactory.create(program=program)
    reset = default_token_generator.make_token(lena)
    return World(rows, str(recorded.audio.name), reset)
