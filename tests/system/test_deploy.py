"""The files of deploy/ say what the program is: its metrics, its settings, its commands, its tables."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import yaml
from prometheus_client import CollectorRegistry

from app.api import create_app
from app.metrics.worker import WorkerMetrics
from app.settings import Settings
from domain_queue import Counters, WorkerStats
from tests.support.processes import scrapersky

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = {name.upper() for name in Settings.model_fields}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
#: What the exposition format adds to a metric's name.
ENDINGS = ("_total", "_bucket", "_count", "_sum")
NO_STATS = WorkerStats(
    worker_id=uuid4(),
    counters=Counters(),
    concurrency=1,
    running=0,
    unrecorded=0,
    wake_mode="listen",
    wake_mode_seconds=60.0,
    listener_reconnects=0,
    workers_alive=1,
    lease_age_seconds=0.0,
    lease_seconds_left=30.0,
    lease_losses=0,
    claim_age_seconds=0.0,
    claim_seconds=0.0,
    loop_lag_seconds=0.0,
    draining=False,
)


def kubernetes_documents() -> list[dict[str, Any]]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def containers() -> list[dict[str, Any]]:
    pods = [d["spec"]["template"]["spec"] for d in kubernetes_documents() if d["kind"] == "Deployment"]
    return [container for pod in pods for container in [*pod["initContainers"], *pod["containers"]]]


def dashboard_expressions() -> list[str]:
    panels = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def rule_expressions() -> list[str]:
    groups = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def names_in(registry: CollectorRegistry) -> set[str]:
    return {metric.name for metric in registry.collect()}


def without_ending(name: str) -> str:
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def start_of(command: list[str]) -> list[str]:
    """The arguments that ``--help`` is asked of: ``worker run`` is ``scrapersky worker run``."""
    words = command[1:] if Path(command[0]).name == "scrapersky" else ["worker", *command[1:]]
    return [word for word in words if not word.startswith("-")][:2] if words[0] == "worker" else words[:1]


def test_every_metric_of_the_dashboard_and_of_the_alerts_is_one_that_the_program_has() -> None:
    worker = WorkerMetrics()
    worker.watch(lambda: NO_STATS)
    web = create_app(Settings(database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    known = names_in(worker.registry) | names_in(web.state.registry)

    used = {
        name
        for expression in [*dashboard_expressions(), *rule_expressions()]
        for name in re.findall(r"scrapersky_\w+", expression)
    }

    assert len(used) > 20
    assert {name for name in used if name not in known and without_ending(name) not in known} == set()


def test_the_query_that_scales_the_workers_counts_what_is_due_and_what_is_in_work(database: str) -> None:
    [scaled] = [document for document in kubernetes_documents() if document["kind"] == "ScaledObject"]
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    with psycopg.connect(database, autocommit=True) as conn:
        [tenant] = conn.execute("SELECT id FROM tenants LIMIT 1").fetchone() or [None]
        assert tenant is not None
        for number, (status, due) in enumerate(
            [
                ("pending", "now()"),
                ("pending", "now() + interval '1 hour'"),
                ("processing", "now()"),
                ("error", "now()"),
            ]
        ):
            conn.execute(
                f"INSERT INTO domains (tenant_id, domain, status, available_at) VALUES (%s, %s, %s, {due})",
                (tenant, f"site-{number}-fixture.com", status),
            )

        assert conn.execute(query).fetchone() == (2,)


def test_every_container_is_locked_up_and_runs_a_command_that_exists() -> None:
    for container in containers():
        locked = container["securityContext"]
        assert locked["readOnlyRootFilesystem"] is True
        assert locked["allowPrivilegeEscalation"] is False
        assert locked["capabilities"] == {"drop": ["ALL"]}
    for command in {tuple(container["command"]) for container in containers()}:
        done = scrapersky(*start_of(list(command)), "--help", environment={})
        assert done.returncode == 0, done.stderr


def test_every_variable_that_is_set_is_a_setting() -> None:
    environment = (DEPLOY / "systemd" / "environment").read_text()
    units = "".join(unit.read_text() for unit in UNITS)
    [configuration] = [document for document in kubernetes_documents() if document["kind"] == "ConfigMap"]

    named = set(re.findall(r"^([A-Z_]+)=", environment, re.MULTILINE))
    named |= set(re.findall(r"^Environment=([A-Z_]+)=", units, re.MULTILINE))
    named |= set(configuration["data"])
    named |= {variable["name"] for container in containers() for variable in container["env"]}

    assert named - SETTINGS == set()
    Settings.model_validate({name.lower(): value for name, value in configuration["data"].items()})


def test_a_worker_is_given_longer_to_stop_than_it_takes() -> None:
    [configuration] = [document for document in kubernetes_documents() if document["kind"] == "ConfigMap"]
    pods = {
        d["metadata"]["name"]: d["spec"]["template"]["spec"]
        for d in kubernetes_documents()
        if "spec" in d and d["kind"] == "Deployment"
    }
    unit = (DEPLOY / "systemd" / "scrapersky-worker@.service").read_text()
    [stop] = re.findall(r"^TimeoutStopSec=(\d+)", unit, re.MULTILINE)

    grace = pods["scrapersky-worker"]["terminationGracePeriodSeconds"]

    assert grace > int(configuration["data"]["WORKER_SHUTDOWN_SECONDS"]) + 10
    assert int(stop) > Settings.model_fields["worker_shutdown_seconds"].default + 10


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_reads_the_units_without_a_complaint(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace("/opt/scrapersky/bin/", "/usr/bin/env ")
        (tmp_path / unit.name.replace("@.", "@1.")).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *tmp_path.iterdir()], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
