"""Behind the shipped nginx: slow bodies stop no upload, large ones are refused by nginx itself."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from programs.models import Talk
from testbed.ci import must_be_there
from testbed.hostile.certificates import Authority
from testbed.interop.servers import find
from testbed.process import LOOPBACK, listening
from testbed.raw_http import answer, connect, head, sending_slowly
from testbed.system import REQUEST_SECONDS, System, outcomes

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

SHIPPED = Path(__file__).parents[1] / "nginx" / "radiotalk.conf"
AROUND = """
daemon off;
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
    """Return a live system whose web, the documented gunicorn, is behind the shipped nginx."""
    if not find("nginx"):
        (pytest.fail if must_be_there() else pytest.skip)("apt-get install nginx")
    web_port = system.reserve_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "radiotalk.wsgi", "--workers", "4"]
    gunicorn += ["--threads", "4", "--bind", f"{LOOPBACK}:{web_port}"]
    web = system.launch("gunicorn", gunicorn)
    system.web_port = system.reserve_port()
    command = [find("nginx") or "", "-e", "stderr", "-c", settings(system, tmp_path, web_port)]
    listening(web, web_port)
    listening(system.launch("nginx", command), system.web_port)
    return system


def settings(system: System, directory: Path, web_port: int) -> Path:
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
    around.write_text(AROUND.format(directory=directory))
    return around


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

    assert status == expected
    assert stored(tmp_path) == 0


def test_a_recording_is_served_by_nginx_and_nothing_outside_of_them(
    nginx: System, tmp_path: Path
) -> None:
    assert nginx.upload(nginx.listeners(1)).status_code == 201
    recording = Talk.objects.get().audio
    media = Path(nginx.env["MEDIA_ROOT"])
    (tmp_path / "secret.env").write_text("SECRET_KEY=x")
    (media / "link.ogg").symlink_to(tmp_path / "secret.env")

    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        session.verify = str(nginx.web_ca)

        def ask(method: str, name: str, **headers: str) -> requests.Response:
            address = f"{nginx.web_address}/media/{name}"
            return session.request(method, address, headers=headers, timeout=REQUEST_SECONDS)

        part = ask("GET", recording.name, Range="bytes=0-9")
        posted = ask("POST", recording.name)
        linked = ask("GET", "link.ogg")

    assert (part.status_code, len(part.content)) == (206, 10)
    assert part.headers["Content-Type"] == "audio/ogg"
    assert part.headers["X-Content-Type-Options"] == "nosniff"
    assert part.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert (posted.status_code, linked.status_code) == (403, 403)


def test_what_a_client_says_of_its_address_and_of_tls_is_not_passed_on(nginx: System) -> None:
    lies = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
    ask = f"{nginx.web_address}/metrics"

    told = requests.get(ask, headers=lies, verify=str(nginx.web_ca), timeout=REQUEST_SECONDS)
    page = requests.get(
        f"{nginx.web_address}/admin/login/",
        headers=lies,
        verify=str(nginx.web_ca),
        timeout=REQUEST_SECONDS,
    )

    assert told.status_code == 200  # from this machine
    assert page.status_code == 200
