"""How a program under measurement talks to the one that measures: a line of JSON for each event."""

from __future__ import annotations

import json
import sys

import psutil


def say(**event: object) -> None:
    print(json.dumps(event), flush=True)


def wait_for_end() -> None:
    """Until the measuring program says so."""
    sys.stdin.readline()


def own_rss() -> int:
    """Resident bytes of this process."""
    rss: int = psutil.Process().memory_info().rss
    return rss
