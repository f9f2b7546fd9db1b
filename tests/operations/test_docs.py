"""Every command in the docs is run, in the order in which it is read, against a running web process and worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.access.tokens import hash_token
from app.api.webhooks import sign
from tests.support.api import Web
from tests.support.postgres import WHEEL_ROOT
from tests.support.processes import Process, clean_environment, running

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What needs an engine, a cluster or root is not run here; the files that it names have tests of their own.
ELSEWHERE = ("docker", "docker-compose", "kubectl", "systemctl", "sudo", "make", "helm", "apt-get")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Language, mark and text of each fenced block."""
    return [(found[1], found[2] or "", found[3]) for found in BLOCK.finditer(page.read_text())]


@pytest.fixture
def worker(environment: dict[str, str]) -> Iterator[Process]:
    with running("worker", "run", environment=environment) as process:
        process.wait_for_output("worker_started")
        yield process


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.slow] if page.stem == "operations" else [])
        for page in PAGES
        if "```sh run" in page.read_text()
    ],
)
def test_every_command_of_the_page_runs(
    page: Path, web: Web, worker: Process, environment: dict[str, str], empty_database: str, tmp_path: Path
) -> None:
    address = str(web.client.base_url).rstrip("/")
    script = "\n".join(text for language, mark, text in blocks(page) if (language, mark) == ("sh", "run"))
    for written, meant in (
        ("http://localhost:8000", address),
        ("example.com", "wordpress-fixture.com"),
        ("example.org", "plain-1-fixture.com"),
    ):
        script = script.replace(written, meant)

    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**clean_environment(environment), "PATH": search_path(), "NEW_DATABASE_URL": empty_database},
        capture_output=True,
        text=True,
        timeout=250,
    )

    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def search_path() -> str:
    """The program's commands, and the client programs of the server's own version."""
    return os.pathsep.join(
        [str(WHEEL_ROOT / "pginstall18" / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_shown_as_a_command_and_not_run_needs_what_this_test_has_not(page: Path) -> None:
    for language, mark, text in blocks(page):
        if language in ("sh", "bash", "shell", "console") and mark != "run":
            for line in text.replace("\\\n", " ").splitlines():
                assert not line or line.startswith(ELSEWHERE), f"{line!r} is not run by any test"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```python run" in page.read_text()], ids=lambda page: page.stem
)
def test_every_python_example_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    source = "\n".join(text for language, mark, text in blocks(page) if (language, mark) == ("python", "run"))

    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", source], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_of_the_page_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_signature_that_the_docs_check_is_the_one_that_is_sent() -> None:
    names: dict[str, Any] = {}
    for language, mark, text in blocks(ROOT / "docs" / "api.md"):
        if (language, mark) == ("python", "run"):
            exec(text, names)
    header = sign(hash_token("the token"), b'{"status": "completed"}', 1_800_000_000)

    assert names["is_genuine"]("the token", header, b'{"status": "completed"}')
    assert not names["is_genuine"]("the token", header, b'{"status": "error"}')
    assert not names["is_genuine"]("another token", header, b'{"status": "completed"}')
