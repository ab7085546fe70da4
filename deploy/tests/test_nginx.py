"""Behind the shipped nginx: slow bodies stop no upload, large ones are refused by nginx itself."""

import getpass
import shlex
import sys
from pathlib import Path

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from programs.models import Talk
from programs.tests.recordings import WAV_HERTZ, wav
from testbed.ci import must_be_there
from testbed.hostile.certificates import Authority
from testbed.interop.servers import find
from testbed.process import LOOPBACK, listening
from testbed.raw_http import answer, connect, head, sending_slowly
from testbed.system import REQUEST_SECONDS, System, outcomes

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

DEPLOY = Path(__file__).parents[1]
SHIPPED = DEPLOY / "nginx" / "radiotalk.conf"
AROUND = """
daemon off;
user {user};
pid {directory}/nginx.pid;
error_log stderr;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/bodies;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/radiotalk.conf;
}}
"""
SLOW = 100
TOO_LARGE = 300_000_000


@pytest.fixture
def nginx(system: System, tmp_path: Path) -> System:
    """Return a live system whose web, as its unit starts it, is behind the shipped nginx."""
    if not find("nginx"):
        (pytest.fail if must_be_there() else pytest.skip)("apt-get install nginx")
    web_port = system.reserve_port()
    web = system.launch("gunicorn", started_by_the_unit(web_port))
    system.web_port = system.reserve_port()
    command: list[str | Path] = [find("nginx") or "", "-e", "stderr", "-c"]
    command += [written(system, tmp_path, web_port)]
    listening(web, web_port)
    listening(system.launch("nginx", command), system.web_port)
    return system


def started_by_the_unit(port: int) -> list[str]:
    """Return the command of the shipped unit, with the gunicorn of these tests and this port."""
    unit = (DEPLOY / "systemd" / "radiotalk-web.service").read_text().replace("\\\n", "")
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    _gunicorn, *arguments = shlex.split(command.replace("127.0.0.1:8000", f"{LOOPBACK}:{port}"))
    return [sys.executable, "-m", "gunicorn", *arguments]


def written(system: System, directory: Path, web_port: int) -> Path:
    """Return nginx's settings: the shipped file with other ports and paths, and what is around."""
    authority = Authority(directory / "authority", "trusted")
    certificate = authority.issue("nginx")
    system.web_ca = authority.ca_file
    text = SHIPPED.read_text()
    for shipped, here in {
        "127.0.0.1:8000": f"{LOOPBACK}:{web_port}",
        "listen 80;": f"listen {LOOPBACK}:{system.reserve_port()};",
        "listen 443 ": f"listen {LOOPBACK}:{system.web_port} ",
        "/etc/ssl/radiotalk/fullchain.pem": str(certificate.chain),
        "/etc/ssl/radiotalk/privkey.pem": str(certificate.key),
        "/srv/radiotalk/var/media": system.env["MEDIA_ROOT"],
    }.items():
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    (directory / "radiotalk.conf").write_text(text)
    around = directory / "nginx.conf"
    around.write_text(AROUND.format(directory=directory, user=getpass.getuser()))
    return around


def ask(nginx: System, path: str, **headers: str) -> requests.Response:
    """Return the answer to a GET; an underscore stands for a hyphen."""
    return requests.get(
        f"{nginx.web_address}{path}",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        verify=str(nginx.web_ca),
        timeout=REQUEST_SECONDS,
    )


def stored(directory: Path) -> int:
    """Return how many bytes of bodies nginx has on the disk."""
    return sum(file.stat().st_size for file in (directory / "bodies").rglob("*") if file.is_file())


def test_a_hundred_slow_bodies_do_not_stop_an_upload_nor_its_announcement(nginx: System) -> None:
    nginx.start_worker()
    program = nginx.listeners(20)
    upload = f"/api/v1/programs/{program.pk}/talks/"
    owner = nginx.authorization(program)
    slow = [connect(nginx.web_port, nginx.web_ca) for _ in range(SLOW)]
    for nth, connection in enumerate(slow):
        path = ["/api/v1/auth/token/", "/admin/login/", upload][nth % 3]
        connection.sendall(head(path, Content_Length="100000", **owner))

    with sending_slowly(slow):
        answered = nginx.upload(program)
        nginx.wait_until_settled()

    assert answered.status_code == 201
    assert outcomes() == {"sent": 20}


@pytest.mark.parametrize("path", ["/api/v1/auth/token/", "/admin/login/"])
def test_one_address_logs_in_only_so_often_and_does_all_else(nginx: System, path: str) -> None:
    address, ca = f"{nginx.web_address}{path}", str(nginx.web_ca)

    answers = [requests.post(address, verify=ca, timeout=REQUEST_SECONDS) for _ in range(100)]
    statuses = [answer.status_code for answer in answers]

    assert statuses[:50] == [statuses[0]] * 50  # an office that begins to work
    assert statuses[-1] == 429
    assert ask(nginx, path).status_code != 429
    assert ask(nginx, "/api/v1/programs/").status_code != 429


def test_large_recordings_of_who_may_post_them_go_through(
    nginx: System, settings: Settings
) -> None:
    settings.SECRET_KEY = nginx.env["SECRET_KEY"]  # by which the web knows the operator again
    recording = wav(3_000_000 / WAV_HERTZ)
    program = nginx.listeners(1)
    operator = Client()
    operator.force_login(User.objects.create_superuser("anna"))
    cookies = {name: cookie.value for name, cookie in operator.cookies.items()}
    desk = f"{nginx.web_address}/admin/programs/talk/add/"

    by_api = nginx.uploader(program, recording)()
    at_the_desk = requests.post(
        desk,
        {"title": "Owls", "program": str(program.pk)},
        files={"audio": ("a.wav", recording)},
        # nginx tells the web no port: in production there is none in the address.
        headers={"Referer": f"https://{LOOPBACK}/", "X-CSRFToken": "c" * 32},
        cookies=cookies | {"csrftoken": "c" * 32},
        verify=str(nginx.web_ca),
        timeout=REQUEST_SECONDS,
        allow_redirects=False,
    )

    assert (by_api.status_code, at_the_desk.status_code) == (201, 302)
    assert Talk.objects.count() == 2


@pytest.mark.parametrize("path", ["/api/v1/auth/token/", "/admin/login/", "/media/x"])
def test_a_large_body_is_refused_before_a_byte_of_it_is_stored(
    nginx: System, tmp_path: Path, path: str
) -> None:
    with connect(nginx.web_port, nginx.web_ca) as connection:
        connection.sendall(head(path, Content_Length=str(TOO_LARGE)) + b"x" * 200_000)

        status, told = answer(connection)

    assert status == 413
    assert path.startswith("/api/") == (b"application/json" in told)
    assert stored(tmp_path) == 0
    assert "413" not in nginx.log_of("gunicorn")


@pytest.mark.parametrize(
    ("path", "expected"), [("/api/v1/programs/1/talks/", 401), ("/admin/programs/talk/add/", 302)]
)
def test_an_upload_of_nobodys_is_refused_before_a_byte_of_it_is_stored(
    nginx: System, tmp_path: Path, path: str, expected: int
) -> None:
    with connect(nginx.web_port, nginx.web_ca) as connection:
        preflight = {"Origin": "https://x.example", "Access_Control_Request_Method": "POST"}
        connection.sendall(head(path, Content_Length="100000000", **preflight) + b"x" * 200_000)

        status, _told = answer(connection)

    assert status == expected, nginx.last_lines()
    assert stored(tmp_path) == 0


def test_a_recording_is_served_by_nginx_and_nothing_outside_of_them(
    nginx: System, tmp_path: Path
) -> None:
    assert nginx.upload(nginx.listeners(1)).status_code == 201
    recording = Talk.objects.get().audio
    media = Path(nginx.env["MEDIA_ROOT"])
    (tmp_path / "secret.env").write_text("SECRET_KEY=x")
    (media / "link.ogg").symlink_to(tmp_path / "secret.env")

    part = ask(nginx, f"/media/{recording.name}", Range="bytes=0-9")
    linked = ask(nginx, "/media/link.ogg")
    posted = requests.post(
        f"{nginx.web_address}/media/{recording.name}",
        verify=str(nginx.web_ca),
        timeout=REQUEST_SECONDS,
    )

    assert (part.status_code, len(part.content)) == (206, 10)
    assert part.headers["Content-Type"] == "audio/ogg"
    assert part.headers["X-Content-Type-Options"] == "nosniff"
    assert part.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert (posted.status_code, linked.status_code) == (403, 403)


def test_what_a_client_says_of_tls_is_not_passed_on(nginx: System) -> None:
    page = ask(nginx, "/admin/login/", X_Forwarded_Proto="http")

    assert page.status_code == 200
