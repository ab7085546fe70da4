"""The rules for Prometheus: promtool accepts them, and each alert is tested and has a runbook."""

import re
import subprocess
from typing import Any

import pytest
import yaml

from radiotalk.settings import BASE_DIR
from testbed.ci import must_be_there
from testbed.prometheus import DEPLOYED, MISSING, program

RUNBOOK = "docs/runbook.md"
RULES = ("recording.rules.yml", "alerts.rules.yml")


def alerts() -> list[dict[str, Any]]:
    """Return each alerting rule."""
    (group,) = yaml.safe_load((DEPLOYED / "alerts.rules.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def promtool(*arguments: str) -> None:
    """Run promtool beside the rules; fail with what it says."""
    found = program("promtool")
    if found is None:
        (pytest.fail if must_be_there() else pytest.skip)(MISSING)
    command = [found, *arguments]
    done = subprocess.run(command, cwd=DEPLOYED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def anchor_of(heading: str) -> str:
    """Return a heading's anchor, as GitHub and GitLab make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def headings(page: str = "") -> set[str]:
    """Return the anchors of a page of the documents, the runbook unless one is named."""
    text = (BASE_DIR / "docs" / (page or "runbook.md")).read_text()
    return set(map(anchor_of, re.findall(r"^#+ (.+)$", text, re.MULTILINE)))


def test_promtool_finds_nothing_wrong_with_the_configuration_and_its_rules() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", *RULES)


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", "alerts.test.yml")


def test_each_alert_is_tested_both_firing_and_quiet() -> None:
    cases = [
        case
        for test in yaml.safe_load((DEPLOYED / "alerts.test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in alerts()}

    assert {case["alertname"] for case in cases if "exp_alerts" in case} == names
    assert {case["alertname"] for case in cases if "exp_alerts" not in case} == names


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_each_alert_says_how_urgent_it_is_and_what_is_wrong(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"].endswith(".")


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_each_alert_links_to_its_heading_of_the_runbook(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")

    assert page == RUNBOOK
    assert anchor in headings()


def test_each_link_of_the_runbook_leads_to_a_heading() -> None:
    links = re.findall(r"\]\((\w+\.md)?#([^)]+)\)", (BASE_DIR / RUNBOOK).read_text())

    assert len(links) > 10
    assert {(page, anchor) for page, anchor in links if anchor not in headings(page)} == set()


def test_the_runbook_names_each_alert_beneath_the_heading_that_it_links_to() -> None:
    text = (BASE_DIR / RUNBOOK).read_text()
    told = {
        alert: anchor_of(heading)
        for heading, body in re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", text, re.MULTILINE)
        for alert in re.findall(r"`(Radiotalk\w+)`", body)
    }

    assert told == {
        rule["alert"]: rule["annotations"]["runbook_url"].partition("#")[2] for rule in alerts()
    }
