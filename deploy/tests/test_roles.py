"""The roles of deploy/postgresql/roles.sql: web and worker do their work by them, and no more."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import requests
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.acts import keep
from accounts.models import Act, ApiToken
from accounts.who import Who
from notifications.admin.tests.rows import say_yes, superuser
from notifications.channel import TALK_POSTED_CHANNEL
from notifications.database_errors import is_forbidden
from notifications.management.errors import Failed
from notifications.models import DeviceToken, Notification, SendingSwitch, TestPush
from notifications.operators import acts, test_push
from programs.models import Program, Talk
from testbed import local_settings
from testbed.own_engines import OWN, TEMPLATE, as_default, migrated_cluster, own_postgresql
from testbed.postgresql import NAME, Cluster
from testbed.process import Child
from testbed.system import (
    CONNECT_SECONDS,
    REQUEST_SECONDS,
    SHORT_LEASE,
    System,
    add_listeners,
    failing_at,
    outcomes,
)

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

ROLES = Path(__file__).parents[1] / "postgresql" / "roles.sql"
OWNER, WEB, WORKER = "radiotalk_owner", "radiotalk_web", "radiotalk_worker"
NOBODY = Who("root@host")
PASSWORD = "a long password of nobody's"


def apply_roles(cluster: Cluster, database: str, role: str = NAME) -> None:
    """Run the file by psql, as an operator does; raise RuntimeError with what it says."""
    psql: list[str | Path] = [cluster.postgres.parent / "psql", "--no-psqlrc", "--quiet"]
    psql += ["--file", ROLES, url_of(cluster, role, database)]
    run = subprocess.run(psql, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr)


def url_of(cluster: Cluster, role: str, database: str = OWN) -> str:
    """Return the address of a database for this role."""
    return f"{cluster.url}/{database}".replace(f"{NAME}@", f"{role}@", 1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Yield a PostgreSQL whose template database has the roles, made twice: it may be done again.

    The second time as their owner, as after each upgrade.
    """
    with migrated_cluster() as cluster:
        for role in (NAME, OWNER):
            apply_roles(cluster, TEMPLATE, role)
        yield cluster


@pytest.fixture
def own_database(transactional_db: None, cluster: Cluster) -> Iterator[None]:
    """Let the ORM use a fresh database, as its superuser."""
    with own_postgresql(cluster):
        yield


@pytest.fixture
def _by_web(own_database: None, cluster: Cluster) -> Iterator[None]:
    """Let the ORM use that database as the web does."""
    with as_default(url_of(cluster, WEB)):
        yield


@pytest.fixture
def system(
    _by_web: None, production: None, cluster: Cluster, make_system: Callable[..., System]
) -> System:
    """Return a system whose web has the web's role, and whose switch the desk has set to live."""
    system = make_system()
    system.start_redis()
    system.start_web()
    go_live(superuser())
    return system


def go_live(desk: Client) -> None:
    """Go live by the desk's page."""
    told = {"reason": "evening", "minutes": 60, "max_audience": 1000, "word": "LIVE"}
    status, page = say_yes(desk, "/admin/notifications/sendingswitch/live/", **told)
    assert status == 302, page


def start_worker(system: System, cluster: Cluster, *arguments: str, **env: str) -> Child:
    """Return a worker that has the worker's role."""
    patient = f"?connect_timeout={CONNECT_SECONDS}&tcp_user_timeout=0"
    env = {"DATABASE_URL": url_of(cluster, WORKER) + patient, **env}
    return system.start_worker(*arguments, **env)


# --- Both do their work ---------------------------------------------------------------------------


def test_a_talk_reaches_everybody_and_operators_steer_its_sending(
    system: System, cluster: Cluster
) -> None:
    """A worker dies over the first; the next takes over, and an operator sends again."""
    program = system.listeners(30)
    add_listeners(program, 1, name="device-{}-unregistered")
    dying = start_worker(system, cluster, **failing_at("after_claim=kill"), **SHORT_LEASE)
    anna, now = Who("anna", User.objects.get(is_superuser=True).pk), timezone.now()
    assert system.upload(program).status_code == 201
    system.wait(lambda: dying.wrapper.poll() is not None)

    start_worker(system, cluster, "--standby", **SHORT_LEASE)
    system.wait(lambda: outcomes()["unknown"] == 31)
    first = Notification.objects.get()
    acts.pause(by=anna, reason="let me look", now=now)
    assert acts.resend_unknown(first.id, by=anna, reason="nobody got it", now=now) == 31
    acts.hold(first.id, by=anna, reason="wait", now=now)
    acts.release_or_ask(first.id, by=anna, reason="go on")
    acts.resume(by=anna, reason="go on", now=now)
    system.wait_until_settled()

    assert outcomes() == {"sent": 30, "rejected": 1}
    system.wait(lambda: DeviceToken.objects.filter(disabled_at__isnull=False).exists())
    system.verify(kills=1)


def test_a_worker_writes_the_notification_of_a_talk_that_others_posted(
    system: System, cluster: Cluster
) -> None:
    """It counts what its program may announce, and for that locks the program's row."""
    program = system.listeners(3)
    start_worker(system, cluster, NOTIFICATIONS_PER_PROGRAM_PER_HOUR="6")
    system.wait_for_a_subscriber()
    [talk] = Talk.objects.bulk_create([Talk(program=program, title="Imported")])

    with system.redis_client() as client:
        client.publish(TALK_POSTED_CHANNEL, f'{{"talk_id": {talk.pk}}}')
    system.wait(lambda: outcomes() == {"sent": 3})

    acts.pause(by=NOBODY, reason="a moment", now=timezone.now())
    assert system.upload(program).status_code == 201
    acts.cancel(Notification.objects.latest("id").pk, by=NOBODY, reason="no", now=timezone.now())


def test_accounts_come_and_go_by_the_webs_role(system: System, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]  # the web's
    program = system.listeners(2)
    user = User.objects.create_user("carla", password=PASSWORD)
    log_in = f"{system.web_address}/api/v1/auth/token/"

    def post(password: str) -> requests.Response:
        login = {"username": "carla", "password": password}
        return requests.post(log_in, json=login, timeout=REQUEST_SECONDS)

    assert post("wrong").status_code == 400
    token = {"Authorization": f"Token {post(PASSWORD).json()['token']}"}
    programs = f"{system.web_address}/api/v1/programs/"
    mine = requests.post(programs, json={"title": "Mine"}, headers=token, timeout=REQUEST_SECONDS)
    assert mine.status_code == 201
    assert requests.delete(log_in, headers=token, timeout=REQUEST_SECONDS).status_code == 204
    Authenticator.objects.create(user=user, type="totp", data={})
    call_command("reset_second_factor", "carla", reason="lost")
    call_command("axes_reset_username", "carla")
    for name in ("carla", program.owner.get_username()):
        call_command("erase_user", name, yes=True)
    call_command("prune")
    call_command("sending", "status")

    assert not Program.objects.exists()
    assert not ApiToken.objects.filter(user=user.pk).exists()


def test_a_new_database_is_migrated_by_its_owner(cluster: Cluster) -> None:
    cluster.execute(f"CREATE DATABASE fresh OWNER {OWNER}")
    env = {"DATABASE_URL": url_of(cluster, OWNER, "fresh")}

    local_settings.manage("migrate", env=env | {"DJANGO_SETTINGS_MODULE": "radiotalk.testing"})
    apply_roles(cluster, "fresh", OWNER)

    with psycopg.connect(url_of(cluster, WORKER, "fresh")) as worker:
        assert worker.execute("SELECT count(*) FROM notifications_batch").fetchone() == (0,)


# --- Nobody does more -----------------------------------------------------------------------------

TABLES = """
    SELECT relname, pg_get_userbyid(relowner), has_table_privilege(%s, oid, 'SELECT'),
           has_table_privilege(%s, oid, 'TRUNCATE, REFERENCES, TRIGGER')
           OR has_table_privilege(%s, oid, 'TRUNCATE, REFERENCES, TRIGGER')
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""


@pytest.mark.usefixtures("own_database")
def test_the_owner_has_all_tables_and_the_web_sees_each() -> None:
    with connection.cursor() as cursor:
        cursor.execute(TABLES, [WEB, WEB, WORKER])
        found = {name: tuple(rest) for name, *rest in cursor.fetchall()}

    assert MigrationRecorder.Migration._meta.db_table in found
    assert found == dict.fromkeys(found, (OWNER, True, False))


@pytest.mark.usefixtures("own_database")
def test_a_table_that_nobody_thought_of_is_named(cluster: Cluster) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE notifications_novelty ()")

    with pytest.raises(RuntimeError, match=r"No line in roles\.sql .*: notifications_novelty"):
        apply_roles(cluster, OWN)


OF_BOTH = [
    "CREATE TABLE mine ()",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    f"SET ROLE {OWNER}",
    "UPDATE accounts_act SET account_name = 'ben'",
    "DELETE FROM accounts_act",
    "TRUNCATE accounts_act",
    "TRUNCATE notifications_notification CASCADE",
    "ALTER TABLE accounts_act DISABLE TRIGGER act_is_append_only",
    "DROP TRIGGER no_live_without_act ON notifications_sendingswitch",
    "SET session_replication_role = replica",
    "DELETE FROM notifications_sendingswitch",
    "DELETE FROM notifications_notification",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('a', 'b', now())",
    "COPY django_session TO PROGRAM 'cat'",
]
OF_WEB = [
    "UPDATE notifications_workerlease SET epoch = epoch + 1",
    "INSERT INTO notifications_batch DEFAULT VALUES",
    "INSERT INTO notifications_delivery DEFAULT VALUES",
    "UPDATE auth_permission SET codename = 'go_live'",
    "SELECT setval('accounts_act_id_seq', 1)",
    "SELECT setval('notifications_notification_id_seq', 1)",
]
OF_WORKER = [
    "UPDATE auth_user SET is_superuser = true",
    "SELECT password FROM auth_user",
    "INSERT INTO auth_user_user_permissions (user_id, permission_id) VALUES (1, 1)",
    "INSERT INTO accounts_apitoken DEFAULT VALUES",
    "SELECT * FROM accounts_apitoken",
    "SELECT * FROM django_session",
    "DELETE FROM mfa_authenticator",
    "SELECT * FROM mfa_authenticator",
    "INSERT INTO accounts_act DEFAULT VALUES",
    "UPDATE notifications_sendingswitch SET mode = 'live'",
    "UPDATE notifications_sendingswitch SET paused = false",
    "INSERT INTO notifications_sendingswitch DEFAULT VALUES",
    "UPDATE programs_program SET dry_run = false",
    "UPDATE programs_talk SET title = 'mine'",
    "DELETE FROM programs_clip",
    "UPDATE notifications_devicetoken SET user_id = 1",
    "UPDATE notifications_devicetoken SET token = 'mine'",
    "DELETE FROM notifications_delivery",
]


@pytest.mark.parametrize(
    ("role", "sql"),
    [(role, sql) for role in (WEB, WORKER) for sql in OF_BOTH]
    + [(WEB, sql) for sql in OF_WEB]
    + [(WORKER, sql) for sql in OF_WORKER],
)
def test_the_database_refuses(cluster: Cluster, role: str, sql: str) -> None:
    with (
        psycopg.connect(url_of(cluster, role, TEMPLATE)) as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        session.execute(sql.encode())


@pytest.mark.usefixtures("_by_web")
def test_a_command_says_which_role_may_not_do_what_it_shall() -> None:
    with pytest.raises(Failed, match=rf"\({WEB}\): permission denied for table .*workerlease"):
        call_command("sending", "restored", reason="the backup of last night")


# --- The web goes live by the desk's way alone ----------------------------------------------------

SWITCH = "UPDATE notifications_sendingswitch SET "
LIVE = SWITCH + "mode = 'live', live_by_id = %s"


@pytest.fixture
def anna(_by_web: None) -> Who:
    """Return an operator who may go live; the switch says dry run."""
    user = User.objects.create(username="anna", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="go_live"))
    anna = Who("anna", user.pk)
    acts.dry_run(by=anna, reason="", now=timezone.now())
    return anna


def set_live(by: Who, sql: str = LIVE) -> None:
    """Set the switch by SQL."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [by.account_id] if "%s" in sql else None)


@contextmanager
def refused() -> Iterator[None]:
    """Expect the database to refuse the switch to whoever has no act."""
    with pytest.raises(DatabaseError, match="Nobody goes live without an act") as raised:
        yield
    assert is_forbidden(raised.value)


def test_nobody_goes_live_without_an_act(anna: Who) -> None:
    with refused():
        set_live(anna)
    with refused():
        SendingSwitch.objects.change(changed_by="anna", now=timezone.now(), reason="", mode="live")

    assert SendingSwitch.objects.get().mode == "dry_run"


@pytest.mark.usefixtures("_by_web")
def test_nobody_begins_with_live() -> None:
    with refused():
        SendingSwitch.objects.create(mode="live")


def test_an_act_of_an_earlier_transaction_is_none(anna: Who) -> None:
    keep("operator.live", by=anna)

    with refused():
        set_live(anna)


def test_an_act_that_was_taken_back_is_none(anna: Who) -> None:
    with refused(), transaction.atomic():
        with transaction.atomic():
            keep("operator.live", by=anna)
            transaction.set_rollback(True)
        set_live(anna)


def test_an_act_in_a_savepoint_of_the_same_transaction_is_one(anna: Who) -> None:
    with transaction.atomic():
        with transaction.atomic():
            keep("operator.live", by=anna)
        with transaction.atomic():
            set_live(anna)

    assert SendingSwitch.objects.get().mode == "live"


def test_an_act_in_a_table_of_ones_own_is_none(anna: Who) -> None:
    with refused(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE accounts_act (LIKE public.accounts_act INCLUDING IDENTITY)"
        )
        cursor.execute("SET LOCAL search_path = pg_temp, public")
        keep("operator.live", by=anna)
        set_live(anna)


@pytest.mark.parametrize(
    "values", [{"is_active": False}, {"is_staff": False}], ids=["inactive", "no staff"]
)
def test_an_act_of_whoever_may_not_go_live_is_none(anna: Who, values: dict[str, bool]) -> None:
    User.objects.update(**values)

    with refused(), transaction.atomic():
        keep("operator.live", by=anna)
        set_live(anna)


def test_an_act_of_whoever_lacks_the_permission_is_none(anna: Who) -> None:
    ben = Who("ben", User.objects.create(username="ben", is_staff=True).pk)

    with refused(), transaction.atomic():
        keep("operator.live", by=ben)
        set_live(ben)
    with refused(), transaction.atomic():
        keep("operator.live", by=ben)
        set_live(anna)


def test_another_act_and_nobodys_act_are_none(anna: Who) -> None:
    with refused(), transaction.atomic():
        keep("operator.paused", by=anna)
        set_live(anna)
    with refused(), transaction.atomic():
        keep("operator.live", by=Who("root@host"))
        set_live(Who("root@host"))


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(
    "values",
    ["live_until = NULL", "live_until = live_until + interval '1s'", "max_audience = NULL",
     "max_audience = max_audience + 1", "live_by_id = live_by_id + 1"],
)  # fmt: skip
def test_live_goes_on_no_longer_and_to_no_more_without_an_act(anna: Who, values: str) -> None:
    now = timezone.now()
    until = now + timedelta(hours=1)
    acts.go_live(by=anna, reason="evening", now=now, until=until, max_audience=100)

    with refused():
        set_live(anna, SWITCH + values)
    set_live(anna, SWITCH + "max_audience = 99, live_until = now()")
    acts.go_live(by=anna, reason="evening", now=now, until=None, max_audience=None)
    acts.pause(by=anna, reason="odd", now=now)
    acts.resume(by=anna, reason="fine", now=now)
    acts.dry_run(by=anna, reason="enough", now=now)

    assert Act.objects.filter(name="operator.live").count() == 2


@pytest.mark.usefixtures("production", "_by_web")
def test_a_command_of_nobodys_goes_not_live_and_says_why() -> None:
    with pytest.raises(Failed, match="Nobody goes live without an act"):
        call_command("sending", "live", reason="evening")


# --- Nor does the web ring a phone by a test of nobody's ------------------------------------------


@pytest.fixture
def phone(anna: Who) -> DeviceToken:
    """Return a device of anna's, who may send tests to it."""
    user = User.objects.get(username=anna.name)
    user.user_permissions.add(Permission.objects.get(codename="send_test"))
    return DeviceToken.objects.create(user=user, token="device-1", platform="android")


def write_test(device: DeviceToken, by_id: int | None) -> None:
    """Write a test push as the desk does, without keeping an act."""
    TestPush.objects.create(
        pk=uuid4(), device=device, by="anna", by_id=by_id, text="hello", requested_at=timezone.now()
    )


def test_the_desk_sends_a_test(anna: Who, phone: DeviceToken) -> None:
    test_push.request(phone, form=uuid4(), by=anna, now=timezone.now())

    assert TestPush.objects.count() == Act.objects.filter(name="operator.test").count() == 1


def test_nobody_sends_a_test_without_an_act(anna: Who, phone: DeviceToken) -> None:
    listener = User.objects.create(username="lena")
    theirs = DeviceToken.objects.create(user=listener, token="device-2", platform="android")
    keep("operator.test", by=anna, about=f"device {phone.pk}")

    with refused_a_test():
        write_test(phone, anna.account_id)
    for about, by, device in (
        (phone, anna, theirs),
        (theirs, anna, phone),
        (theirs, Who("lena", listener.pk), theirs),
    ):
        with refused_a_test(), transaction.atomic():
            keep("operator.test", by=by, about=f"device {about.pk}")
            write_test(device, by.account_id)

    assert not TestPush.objects.exists()


@contextmanager
def refused_a_test() -> Iterator[None]:
    """Expect the database to refuse a test to whoever has no act."""
    with pytest.raises(DatabaseError, match="Nobody sends a test without an act") as raised:
        yield
    assert is_forbidden(raised.value)
