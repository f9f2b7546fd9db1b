"""The fixture sites themselves, as whole programs see them: a hosts file and three variables are all they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.sites.server import running_sites

PROGRAM = """
import asyncio, json
from ipaddress import ip_network
from os import environ
from pathlib import Path
from extractor.site import FetchSettings, Scanner
async def main():
    settings = FetchSettings(allow_networks=(ip_network(environ["FETCH_ALLOW_NETWORKS"]),),
                             hosts_file=Path(environ["FETCH_HOSTS_FILE"]), sandbox_processes=1)
    async with Scanner(settings) as scanner:
        reports = [(await scanner.scan(name, max_pages=1)).report for name in
                   ("wordpress-fixture.com", "plain-anything-at-all-fixture.com")]
    print(json.dumps([[report.final_url, report.title] for report in reports]))
asyncio.run(main())
"""


def test_another_process_reads_them_by_name_over_tls_and_without() -> None:
    with running_sites() as sites:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=Path(__file__).parents[3],
            env={**os.environ, **sites.environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        ["https://wordpress-fixture.com/", "Oak Street Bakery"],
        ["http://plain-anything-at-all-fixture.com/", "Plain Anything At All"],
    ]
    assert sites.server.requests["wordpress-fixture.com"][0].is_tls
