"""`make run`: Redis, an emulator of FCM, web and worker until Ctrl-C, with their data in var/.

The first start writes .env, which every `manage.py` in another shell reads as well. An .env that
exists already is left alone, and its settings hold.
"""

import os
import shlex
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured

from testbed import local_settings
from testbed.process import ProcessFailed, listening, listens
from testbed.processes import Processes
from testbed.redis import running_redis

WEB_PORT, EMULATOR_PORT, REDIS_PORT = 8000, 8443, 16379  # as in the Procfile and the settings
LISTENERS = 20
FOLLOW_SECONDS = 0.1  # how often the logs are looked at
EMULATOR = local_settings.VAR / "emulator"


def write_env(file: Path) -> None:
    """Write settings that send to the emulator, unless the file exists."""
    if file.exists():
        return
    file.touch(mode=0o600)
    settings = local_settings.of_emulator(EMULATOR, EMULATOR_PORT)
    lines = [f"{name}={value}" for name, value in settings.items()]
    about = "# Written by `make run`: FCM is the emulator. Remove it to have it written anew."
    file.write_text("\n".join([about, *lines]) + "\n")


def commands(procfile: Path) -> dict[str, list[str]]:
    """Return the command line of each process that the Procfile names."""
    named = (line.split(":", 1) for line in procfile.read_text().splitlines())
    return {name: shlex.split(command) for name, command in named}


def check_ports() -> None:
    """Raise ProcessFailed when somebody listens on a port that `make run` needs."""
    ports = {"web": WEB_PORT, "FCM emulator": EMULATOR_PORT}
    if not os.environ.get("REDIS_URL"):
        ports["Redis"] = REDIS_PORT
    for name, port in ports.items():
        if listens(port):
            raise ProcessFailed(
                f"Port {port} is taken, and the {name} needs it: is another `make run` running?"
            )


def prepare(processes: Processes) -> dict[str, str]:
    """Migrate the database and fill an empty one; return the password of each account."""
    processes.manage("migrate")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "radiotalk.settings")
    django.setup()
    from django.db import connection

    from programs.models import Program
    from testbed import logins

    accounts = logins.passwords(local_settings.VAR / "logins.json")
    logins.ensure(accounts)
    if not Program.objects.exists():
        processes.manage("seed", "--listeners", str(LISTENERS))
    connection.close()
    return accounts


def start_all(stack: ExitStack) -> Processes:
    """Return the processes of the Procfile, started in the order in which they need each other."""
    interpreters = Path(sys.executable).parent  # the Procfile says just `python`
    path = f"{interpreters}{os.pathsep}{os.environ.get('PATH', '')}"
    processes = Processes(local_settings.VAR, stack, os.environ | {"PATH": path})
    command = commands(local_settings.ROOT / "Procfile")
    if not os.environ.get("REDIS_URL"):  # a given one wins
        stack.enter_context(running_redis(port=REDIS_PORT))
    listening(processes.launch("emulator", command["emulator"]), EMULATOR_PORT)
    accounts = prepare(processes)
    processes.launch("worker", command["worker"])
    listening(processes.launch("web", command["web"]), WEB_PORT)
    tell(accounts)
    return processes


def tell(accounts: dict[str, str]) -> None:
    """Print the addresses, and the accounts with their passwords."""
    web = f"http://127.0.0.1:{WEB_PORT}"
    print(f"""
  Admin            {web}/admin/
  API              {web}/api/v1/docs/
  Phones           https://127.0.0.1:{EMULATOR_PORT}/   (the browser does not know its certificate)
""")
    for name, password in accounts.items():
        print(f"  Login            {name}  {password}")
    print("""
  Talks are posted as a dry run. To make the phones ring, in another shell:
    .venv/bin/python manage.py sending live --reason "trying it out"

  Ctrl-C stops everything; the data stay in var/, the settings in .env.
""")


def follow(processes: Processes) -> None:
    """Print what the processes log, until one of them ends: then raise ProcessFailed."""
    logs = [(child.name, child.log.open(errors="replace")) for child in processes.children]
    while True:
        for name, log in logs:
            for line in log:
                print(f"{name:8} | {line}", end="", flush=True)
        processes.check()
        time.sleep(FOLLOW_SECONDS)


def main() -> int:
    """Serve until Ctrl-C; return 1 when something cannot start or ends by itself."""
    local_settings.VAR.mkdir(exist_ok=True)
    try:
        with ExitStack() as stack:
            check_ports()
            write_env(local_settings.ROOT / ".env")
            follow(start_all(stack))
    except KeyboardInterrupt:
        print("\nStopped.")
    except (ProcessFailed, ImproperlyConfigured) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
