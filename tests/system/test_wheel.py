"""The wheel, built and installed away from the checkout: it carries everything, and it runs there."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.support.api import answers, submit, web_address
from tests.support.processes import Process, clean_environment, wait_for

# One process builds it, once.
pytestmark = pytest.mark.xdist_group("wheel")

CHECKOUT = Path(__file__).parents[2]
SOURCES = ("app", "extractor", "migrations", "queue/domain_queue")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout without any network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    done = subprocess.run([*command, "--wheel-dir", folder, CHECKOUT], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    [built] = folder.glob("scrapersky-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh virtual environment with the wheel in it, and this one's other packages beside it."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    command = [sys.executable, "-m", "pip", "--quiet", "--python", folder / "bin" / "python", "install", "--no-deps"]
    subprocess.run([*command, "--no-index", wheel], check=True, capture_output=True)
    [site_packages] = folder.glob("lib/python3*/site-packages")
    # A path that a .pth file adds has its own .pth files ignored, so the checkout does not come in with the others.
    (site_packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(program: Path, *arguments: str, cwd: Path, **environment: str) -> str:
    """What a command of the installed program prints on stdout."""
    done = subprocess.run(
        [program, *arguments], cwd=cwd, env=clean_environment(environment), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def tracked_files() -> list[str]:
    """Every file of the packages that is not made by running them, as it is named in the wheel."""
    return [
        str(path.relative_to(CHECKOUT)).removeprefix("queue/")
        for source in SOURCES
        for path in (CHECKOUT / source).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def test_the_wheel_carries_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())

    assert set(tracked_files()) <= carried
    assert {"migrations/0001_domain_queue.sql", "app/py.typed", "extractor/py.typed"} <= carried
    assert any(name.startswith("app/pages/templates/") for name in carried)
    assert any(name.startswith("app/pages/static/") for name in carried)
    assert "domain_queue/__init__.py" in carried


def test_the_wheel_carries_nothing_but_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        roots = {name.split("/")[0] for name in archive.namelist()}

    [metadata] = [root for root in roots if root.endswith(".dist-info")]
    assert roots == {"app", "domain_queue", "extractor", "migrations", metadata}


def test_the_installed_commands_start_from_any_folder(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "scrapersky", "--version", cwd=tmp_path).strip()[0].isdigit()
    assert "run" in run(installed / "worker", "--help", cwd=tmp_path)
    where = (
        "import app, domain_queue, extractor, migrations as m; print(app.__path__, domain_queue.__file__, m.__file__)"
    )
    assert str(CHECKOUT) not in run(installed / "python", "-P", "-c", where, cwd=tmp_path)


def test_the_installed_program_migrates_a_database(installed: Path, tmp_path: Path, empty_database: str) -> None:
    command = (installed / "scrapersky", "migrate", "--json")

    first = json.loads(run(*command, cwd=tmp_path, DATABASE_URL=empty_database))
    second = json.loads(run(*command, cwd=tmp_path, DATABASE_URL=empty_database))

    assert len(first["applied_now"]) == len(list((CHECKOUT / "migrations").glob("[0-9]*.sql")))
    assert second["applied_now"] == []
    assert second["pending"] == []


def test_the_installed_program_serves_its_page_and_takes_a_domain(
    installed: Path, tmp_path: Path, database: str
) -> None:
    environment = {"DATABASE_URL": database, "ENVIRONMENT": "development", "PORT": "0"}
    process = Process(["web"], environment, program=[str(installed / "scrapersky")], folder=tmp_path)
    try:
        with httpx.Client(base_url=web_address(process)) as client:
            wait_for(lambda: answers(client), what="the web process")
            page = client.get("/")
            assert page.status_code == 200
            assert "/static/" in page.text
            assert submit(client, "example.com")
    finally:
        process.end()
