"""Chromium on the whole program: web and worker processes, a real database, local sites."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.api import answers, web_address
from tests.support.postgres import Server
from tests.support.processes import Process, running, wait_for
from tests.support.sites.catalogue import start_catalogue
from tests.support.sites.pages import page as site_page
from tests.support.sites.server import Answer, Fixture, Request, Running, SiteServer, running_sites

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
HOSTILE = "\"'><img src=x onerror=window.owned=1><script>window.owned=1</script> \u202e{{7*7}} javascript:alert(1)"
_numbers = itertools.count(1)


@dataclass
class Flaky:
    """Sites that fail until somebody mends them."""

    is_mended: bool = False
    requests: list[str] = field(default_factory=list)

    def site(self, request: Request, _: object) -> Answer:
        if request.path == "/robots.txt":
            return Answer("", 404)
        return Answer(site_page("Mended", "<h1>Welcome</h1>"), 200 if self.is_mended else 404)


flaky = Flaky()


def hostile(request: Request, _: object) -> Answer:
    if request.path == "/robots.txt":
        return Answer("", 404)
    escaped = HOSTILE.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return Answer(
        f'<html lang="en"><title>{escaped}</title><meta name="description" content="{escaped}">'
        f'<body><a href="mailto:info@hostile-title-fixture.com">{escaped}</a>'
        f'<a href="javascript:window.owned=1">Contact</a></body></html>'
    )


LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 60"><style>text{{font:700 30px sans-serif}}</style>'
    '<circle cx="30" cy="30" r="24" fill="#d9480f"/><text x="66" y="41" fill="{ink}">Brew &amp; Co</text></svg>'
)


def pictured(request: Request, _: object) -> Answer:
    """A site with a logo and an icon; those of lost-pictures-* are linked but not there."""
    if request.path == "/robots.txt":
        return Answer("", 404)
    if request.path.endswith(".svg"):
        ink = "#fff" if request.host.startswith("white-") else "#1f2933"
        return Answer(LOGO.format(ink=ink)) if "lost" not in request.host else Answer("", 404)
    head = '<link rel="icon" href="/icon.svg" type="image/svg+xml">'
    body = f'<header><img class="logo" src="/logo.svg" alt="Brew and Co logo"></header><h1>{request.host}</h1>'
    return Answer(site_page("Brew & Co - coffee roasters", body, head=head))


async def start_sites() -> SiteServer:
    server = await start_catalogue()
    server.fixtures.insert(0, Fixture(("*pictures-fixture.com",), pictured))
    server.fixtures.insert(0, Fixture(("flaky-*-fixture.com",), flaky.site))
    server.fixtures.insert(0, Fixture(("hostile-title-fixture.com",), hostile))
    return server


@dataclass
class Program:
    """Running processes on a database of their own."""

    url: str
    client: httpx.Client
    start_worker: Callable[[], Process]


@pytest.fixture(scope="session")
def sites() -> Iterator[Running]:
    with running_sites(start_sites) as sites:
        yield sites


@contextmanager
def program(postgres: Server, sites: Running) -> Iterator[Program]:
    """A web process, and workers once they are asked for."""
    name = f"browser_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres.conninfo, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE scrapersky_template").format(sql.Identifier(name)))
    environment = {
        **sites.environment,
        "DATABASE_URL": make_conninfo(postgres.conninfo, dbname=name),
        "ENVIRONMENT": "development",
        "DOMAIN_PROCESSING_INTERVAL_MINUTES": "10",
        "PORT": "0",
    }
    with ExitStack() as stack:
        web = stack.enter_context(running("web", environment=environment))
        client = stack.enter_context(httpx.Client(base_url=web_address(web)))
        wait_for(lambda: answers(client), what="the web process")

        def start_worker() -> Process:
            worker = stack.enter_context(running("worker", "run", environment=environment))
            worker.wait_for_output("worker_started")
            return worker

        yield Program(str(client.base_url).rstrip("/"), client, start_worker)


@pytest.fixture(scope="session")
def served(postgres: Server, sites: Running) -> Iterator[Program]:
    """With a worker, for all tests together."""
    with program(postgres, sites) as running_program:
        running_program.start_worker()
        yield running_program


@pytest.fixture
def unserved(postgres: Server, sites: Running) -> Iterator[Program]:
    """Without a worker."""
    with program(postgres, sites) as running_program:
        yield running_program


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no browser at {CHROMIUM}: the pages are NOT tested here; install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    yield context
    context.close()


def is_problem(message: ConsoleMessage) -> bool:
    """An error, unless a site did not give a picture: the browser notes it, and the page shows a letter."""
    is_picture = re.search(r"/(?:logo|favicon)\?v=", message.location["url"]) is not None
    return message.type == "error" and not (is_picture and "404" in message.text)


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which no script may fail and nothing may be refused by the policy."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if is_problem(message) else None)
    yield page
    assert problems == []


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, fetched by npm."""
    if shutil.which("npm") is None:
        pytest.skip("no npm: accessibility is NOT tested here; install Node.js")
    folder = tmp_path_factory.mktemp("axe")
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--ignore-scripts", "axe-core@4"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90)
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if done.returncode or not source.exists():
        pytest.skip(f"npm could not fetch axe-core: accessibility is NOT tested here ({done.stderr.strip()[:200]})")
    return source.read_text()
