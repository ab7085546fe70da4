"""The documents name each event, fault and failpoint of the code; their examples run."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from notifications import failpoints
from notifications.management import errors
from radiotalk.settings import BASE_DIR

OPERATIONS = (BASE_DIR / "docs" / "operations.md").read_text()
CONTRIBUTING = (BASE_DIR / "CONTRIBUTING.md").read_text()
RELIABILITY = (BASE_DIR / "docs" / "reliability.md").read_text()


def found_in_the_code(pattern: str) -> set[str]:
    """Return what the pattern's group finds in the code of the product."""
    return {
        found
        for app in ("accounts", "notifications", "programs", "radiotalk")
        for path in (BASE_DIR / app).rglob("*.py")
        if "tests" not in path.parts
        for found in re.findall(pattern, path.read_text())
    }


def test_each_event_of_the_log_is_explained() -> None:
    events = found_in_the_code(r"logger\.(?:info|warning|error)\(\s*\"([a-z_]+(?:\.[a-z_]+)?)\"")

    assert len(events) > 40
    assert {name for name in events if f"`{name}`" not in OPERATIONS} == set()


def test_each_act_of_an_operator_is_told() -> None:
    # By its whole name, or by its last part, as the helpers of each kind of act take it.
    whole = found_in_the_code(r"\"(operator\.[a-z_.]+)\"")
    of_sending = found_in_the_code(
        r"(?:\bdone\(|\bchange\(\s*|\bstopped\(\w+, \w+, )\"([a-z_.]+)\""
    )
    of_devices = found_in_the_code(r"\bkeep_each\(\"([a-z]+)\"")
    of_the_admin = found_in_the_code(r"\bkeep_edit\(\"([a-z]+)\"")
    acts = (
        whole
        | {f"operator.{act}" for act in of_sending}
        | {f"operator.device.{act}" for act in of_devices}
        | {f"operator.admin.{act}" for act in of_the_admin}
    )
    _, _, told = OPERATIONS.partition("### What is kept of each act")
    told, _, _ = told.partition("###")

    assert set(re.findall(r"`(operator\.[a-z_.]+)`", told)) == acts


def test_each_exit_code_of_a_command_is_explained() -> None:
    raised = {each.exit_code for each in vars(errors).values() if hasattr(each, "exit_code")}
    _, _, told = OPERATIONS.partition("### How a command ends")
    table, _, _ = told.partition("###")

    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == raised | {0}


def fault_tests() -> set[str]:
    """Return the names of the tests that break something on purpose."""
    modules = (BASE_DIR / "notifications" / "tests" / "faults").glob("test_*.py")
    sources = [module.read_text() for module in modules]
    return {
        name
        for source in sources
        if "mark.faults" in source
        for name in re.findall(r"^def (test_\w+)", source, flags=re.MULTILINE)
    }


def test_each_fault_is_told_with_its_test() -> None:
    named = re.findall(r"`(test_\w+)`", RELIABILITY)

    assert len(named) > 40
    assert set(named) == fault_tests()


def ending_in_the_checker() -> set[str]:
    """Return the functions of the fault tests that call the checker, directly or through others."""
    modules = (BASE_DIR / "notifications" / "tests" / "faults").glob("test_*.py")
    calls = {
        function.name: set(re.findall(r"\b(\w+)\(", ast.unparse(function)))
        for module in modules
        for function in ast.walk(ast.parse(module.read_text()))
        if isinstance(function, ast.FunctionDef)
    }
    found = {"verify", "report"}
    while more := {name for name, called in calls.items() if called & found} - found:
        found |= more
    return found


def test_each_fault_ends_in_the_checker() -> None:
    # The process that plays the random rounds calls the checker itself.
    told, _, _ = RELIABILITY.partition("## At random")
    named = set(re.findall(r"`(test_\w+)`", told))

    assert len(named) > 40
    assert named - ending_in_the_checker() == set()


def test_each_failpoint_is_told() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", RELIABILITY, flags=re.MULTILINE))

    assert told == failpoints.PLACES


def test_the_one_test_of_contributing_passes_on_a_machine_without_engines() -> None:
    example = re.search(r"One test: `\.venv/bin/(pytest .+?)`", CONTRIBUTING)
    assert example
    command = [sys.executable, "-m", *shlex.split(example[1]), "-p", "no:cacheprovider"]
    # What a newcomer's shell has not: CI, the tests' own settings, an engine.
    env = {"PATH": os.environ["PATH"], "HOME": str(Path.home())}

    done = subprocess.run(
        command, cwd=BASE_DIR, env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
