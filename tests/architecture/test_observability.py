"""The metrics that rules, dashboards and pages name are those of the code, and each alert has a runbook and a test."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from chassis.database.pool_metrics import POOL_COLLECTOR

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/observability"
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
PACKAGES = ("chassis", "auth_service", "task_service", "gateway", "import_worker")
SUFFIXES = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_count", "_sum")}
# Metrics of Prometheus and of its Python client, with their labels beside job and instance.
FOREIGN = {
    "up": set(),
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
    "process_open_fds": set(),
    "process_max_fds": set(),
    "process_start_time_seconds": set(),
    "python_gc_collections_total": {"generation"},
}
KEYWORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool"}


def constants(node: ast.AST, names: dict[str, ast.expr]) -> set[str]:
    """Return the strings of a list of labels, which may contain named lists."""
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    if isinstance(node, ast.Starred):
        return constants(node.value, names)
    if isinstance(node, ast.Name):
        return constants(names[node.id], names)
    assert isinstance(node, ast.List | ast.Tuple), ast.dump(node)
    return {text for element in node.elts for text in constants(element, names)}


class Metric(NamedTuple):
    """A metric that the code defines."""

    kind: str
    name: str
    labels: set[str]


@cache
def code_metrics() -> list[Metric]:
    """Return the metrics of all packages."""
    return [metric for package in PACKAGES for path in (ROOT / package).rglob("*.py") for metric in metrics_in(path)]


def metrics_in(path: Path) -> Iterator[Metric]:
    """Yield each metric that a file defines."""
    tree = ast.parse(path.read_text())
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    names = {node.targets[0].id: node.value for node in assigned if isinstance(node.targets[0], ast.Name)}
    for node in ast.walk(tree):
        kind = called_name(node)
        if (
            isinstance(node, ast.Call)
            and kind in SUFFIXES
            and len(node.args) > 1
            and isinstance(node.args[0], ast.Constant)
        ):
            labels = constants(node.args[2], names) if len(node.args) > 2 else set()
            yield Metric(kind, str(node.args[0].value), labels)


def called_name(node: ast.AST) -> str:
    """Return the last name of a called function: Counter for prometheus_client.Counter too."""
    func = node.func if isinstance(node, ast.Call) else None
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


@cache
def defined_metrics() -> dict[str, set[str]]:
    """Return the labels of each metric of the code, by its name without a suffix of a histogram."""
    metrics = {metric.name + ("_total" if metric.kind == "Counter" else ""): metric.labels for metric in code_metrics()}
    pool = {
        family.name + ("_total" if family.type == "counter" else ""): {"pool"} for family in POOL_COLLECTOR.collect()
    }
    return metrics | pool


@cache
def samples() -> dict[str, set[str]]:
    """Return the labels of each sample that an expression can select, job and instance included."""
    histograms = {metric.name for metric in code_metrics() if metric.kind == "Histogram"}
    plain = {name: labels for name, labels in defined_metrics().items() if name not in histograms}
    of_histograms = {
        name + suffix: defined_metrics()[name] | {"le"} for name in histograms for suffix in SUFFIXES["Histogram"]
    }
    return {name: labels | {"job", "instance"} for name, labels in {**plain, **of_histograms, **FOREIGN}.items()}


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def panels(dashboard: Path) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(dashboard.read_text())["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    of_panels = [
        target["expr"] for dashboard in DASHBOARDS for panel in panels(dashboard) for target in panel["targets"]
    ]
    return [*(rule["expr"] for rule in rules()), *of_panels]


def names_in(expression: str) -> set[str]:
    """Return the names of metrics in an expression of PromQL."""
    text = re.sub(r'"[^"]*"', "", expression)
    text = re.sub(r"\b(by|without|on|ignoring) *\([^)]*\)|\{[^}]*\}|\[[^\]]*\]", " ", text)
    tokens = re.findall(r"[a-zA-Z_:][\w:]*(?![\w:]*\s*\()", text)
    return {token for token in tokens if token not in KEYWORDS}


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_expression_selects_existing_metrics_and_labels(expression):
    """Each metric of a rule or a panel exists, and has the labels by which the expression selects."""
    names = names_in(expression)
    assert names
    assert names - samples().keys() - recorded() == set()
    for name, selector in re.findall(r"(?<![\w:])([a-zA-Z_]\w*)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*[=!]~?", re.sub(r'"[^"]*"', "", selector))) - samples()[name] == set()


def sections() -> list[str]:
    return re.findall(r"^## (\S+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)


def test_runbook_has_one_section_for_each_alert():
    assert sections() == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_alert_says_what_to_do(name):
    """Each alert has a severity, a summary and its section of the runbook, which says what to do."""
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    section = (ROOT / "docs/runbook.md").read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^- \*\*(\w+(?: see)?):\*\*", section, re.MULTILINE) == ["Meaning", "Users see", "Check", "Do"]


def test_each_alert_fires_in_a_test_and_is_quiet_in_another():
    cases = [
        (case["alertname"], bool(case["exp_alerts"]))
        for test in yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    assert {name for name, fires in cases if fires} == {name for name, fires in cases if not fires} == ALERTS.keys()


def test_page_lists_exactly_the_metrics_of_the_code():
    """The tables of the page name every metric, with its labels, and no other one."""
    documented = set()
    for line in (ROOT / "docs/observability.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and cells[0].startswith("`"):
            names = re.findall(r"`(\w+)`", cells[0])
            documented |= set(names)
            if not cells[1].startswith("the same"):
                labels = set(re.findall(r"\w+", cells[1]))
                assert [defined_metrics().get(name) for name in names] == [labels] * len(names), names
    assert documented == defined_metrics().keys()


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")), ids=lambda page: page.name)
def test_pages_name_metrics_with_their_suffix(page):
    """An operator copies the name of a counter into Prometheus, where it ends in _total."""
    names = set(re.findall(r"`(\w+)(?:`|\{)", page.read_text()))
    assert [name for name in names if f"{name}_total" in defined_metrics()] == []


def test_dashboards_have_unique_ids_and_titled_panels():
    contents = [json.loads(dashboard.read_text()) for dashboard in DASHBOARDS]
    assert len(contents) == len({content["uid"] for content in contents}) == 3
    for dashboard in DASHBOARDS:
        ids = [panel["id"] for panel in panels(dashboard)]
        assert len(ids) == len(set(ids)) > 10
        assert all(panel["title"] and panel["targets"] for panel in panels(dashboard))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian's package prometheus)")
@pytest.mark.parametrize("command", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")])
def test_promtool_accepts_rules_and_their_tests(command):
    completed = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
