"""Runs commands, one after the other, while one setting has each of the given values in turn.

Called as a script, with the setting's name, a port that is taken, and the values as JSON on
standard input. Tracebacks are printed, as a process would.
"""

import json
import sys
import traceback

import django
from django.core.management import execute_from_command_line
from django.test import Client, override_settings


def run(arguments: list[str]) -> None:
    """Run a command to its end, whatever that is."""
    try:
        execute_from_command_line(["manage.py", *arguments])
    except SystemExit:
        pass  # it has told why
    except Exception:  # noqa: BLE001  (printed, as Python would)
        traceback.print_exc()


def try_out(name: str, value: str) -> None:
    """Let the commands and a page meet this value."""
    with override_settings(**{name: value}):
        for arguments in (
            ["check", "--deploy"],
            ["sending", "status"],
            ["sending", "probe"],
            ["listen_notifications", "--once", "--skip-checks"],
        ):
            run(arguments)
        client = Client(raise_request_exception=False, headers={"host": "127.0.0.1"})
        print(client.get("/readyz").content, client.get("/admin/").content)


def main() -> None:
    """Try out each value of the setting, and last start the development server with the last."""
    name, port, *_ = sys.argv[1:]
    values: list[str] = json.load(sys.stdin)
    django.setup()
    for value in values:
        try_out(name, value)
    print("all values were tried out", flush=True)
    with override_settings(**{name: values[-1]}):
        run(["runserver", "--noreload", port])  # ends the process: the port is taken


if __name__ == "__main__":
    main()
