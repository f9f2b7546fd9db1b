"""The stack of compose.yaml as a test starts it: under a name and on a port of its own, reading local sites."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from tests.support.api import answers
from tests.support.postgres import docker_answers
from tests.support.processes import wait_for

CHECKOUT = Path(__file__).parents[2]
FIXTURES = CHECKOUT / "tests" / "system" / "compose"
IMAGE = "scrapersky-test"


def compose_command() -> list[str] | None:
    """Compose v2 where the engine's client has it, else docker-compose, else None."""
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


def why_not() -> str | None:
    """Why the stack cannot be started on this machine; None where it can."""
    if compose_command() is None:
        return "neither docker compose nor docker-compose is installed"
    return None if docker_answers() else "no Docker engine answers"


class Stack:
    """One project of Compose; ``files`` are given to it in order."""

    def __init__(self, project: str, files: Sequence[Path], folder: Path) -> None:
        self.project = project
        self.port = _free_port()
        self.folder = folder
        self._command = [*(compose_command() or []), "--project-name", project]
        for file in files:
            self._command += ["--file", str(file)]
        self._environment = {**os.environ, "FIXTURES": str(folder), "PORT": str(self.port)}
        self._environment.setdefault("SCRAPERSKY_TEST_RUN", "by-hand")
        if subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode != 0:
            self._environment["DOCKER_BUILDKIT"] = "0"

    def run(self, *arguments: str, seconds: float = 300) -> str:
        """What a Compose command prints on stdout."""
        done = subprocess.run(
            [*self._command, *arguments],
            cwd=CHECKOUT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers that run."""
        labels = (f"project={self.project}", f"service={service}")
        filters = [word for label in labels for word in ("--filter", f"label=com.docker.compose.{label}")]
        return _docker("ps", "--quiet", "--no-trunc", *filters).split()

    def execute(self, service: str, *command: str) -> str:
        """What a command prints that runs in a service's container."""
        return _docker("exec", self.containers(service)[0], *command)

    def sql(self, statement: str) -> list[list[str]]:
        """The rows of a statement, run in the database's container."""
        command = ("psql", "postgresql://scrapersky:scrapersky@127.0.0.1/scrapersky", "-AtF", "\t", "-c", statement)
        return [line.split("\t") for line in self.execute("db", *command).splitlines()]

    @contextlib.contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """A client of the published port, which answers."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60) as client:
            wait_for(lambda: answers(client), what="the web container", seconds=60)
            yield client

    def requests(self) -> dict[str, int]:
        """How often each site's home page was asked for."""
        url = "import urllib.request as r; q = r.Request('http://127.0.0.1:8080', headers={'Host': 'requests'}); "
        return dict(json.loads(self.execute("sites", "python", "-c", url + "print(r.urlopen(q).read().decode())")))


@contextlib.contextmanager
def running_stack(name: str, folder: Path, *more: Path, workers: int) -> Iterator[Stack]:
    """The stack, built, with ``workers`` worker containers; nothing of it is left afterwards."""
    stack = Stack(
        f"scrapersky{name}{os.getpid()}", [CHECKOUT / "compose.yaml", *more, FIXTURES / "override.yaml"], folder
    )
    folder.chmod(0o755)
    shutil.copy(FIXTURES / "sites.py", folder / "sites.py")
    (folder / "hosts").write_text("")
    for file in folder.iterdir():
        file.chmod(0o644)
    try:
        stack.run("build")
        stack.run("up", "-d", "sites")
        address = address_of(stack.containers("sites")[0])
        (folder / "hosts").write_text(f"{address}:8080:1 *-fixture.com\n")
        stack.run("up", "-d", "--scale", f"worker={workers}")
        yield stack
    except BaseException:
        print(stack.run("logs", "--no-color", "--tail", "30"))
        raise
    finally:
        stack.run("down", "--volumes", "--timeout", "5")
        subprocess.run(["docker", "image", "rm", IMAGE], capture_output=True)


def kill_container(container: str) -> None:
    """kill -9 of a container's process; the engine does not start it again."""
    _docker("kill", "--signal", "KILL", container)


def host_name(container: str) -> str:
    """What the process in a container takes for its machine's name."""
    return container[:12]


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"docker {arguments}: {done.stderr[-2000:]}"
    return done.stdout


def address_of(container: str) -> str:
    """A container's address in its project's network."""
    [network] = json.loads(_docker("inspect", container))[0]["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
