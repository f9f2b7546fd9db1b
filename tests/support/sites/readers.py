"""Readers that misbehave, for tests of the sandbox: what a hostile page could make the real one do."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping

from extractor.models import Found, PageFacts

_is_warm: list[bool] = []


def warm_up() -> None:
    """Noted for whoever is forked from here."""
    _is_warm.append(True)


def read_page(body: bytes, *, url: str, status: int | None = None, headers: Mapping[str, str]) -> PageFacts:
    """Do what the body says; otherwise tell what arrived and which process read it."""
    match body.split(b" ")[0]:
        case b"burn":
            while True:
                pass
        case b"sleep":
            time.sleep(60)
        case b"hoard":
            hoard = []
            while True:
                hoard.append(bytearray(16 * 1024 * 1024))
        case b"crash" | b"exit" as how:
            os.kill(os.getpid(), signal.SIGSEGV if how == b"crash" else signal.SIGKILL)
        case b"raise":
            raise RuntimeError(url)
        case b"write":
            with open(body[6:].decode(), "wb") as file:
                file.write(b"x" * 100_000)
        case b"parent":
            return PageFacts(url=url, site_names=[Found(value=str(os.getppid()), how="parent")])
        case b"environment":
            return PageFacts(url=url, feed_urls=list(os.environ))
        case b"surrogate":
            return PageFacts(url=url, titles=[Found(value="a\ud800b", how="title")])
    return PageFacts(
        url=url,
        status=status,
        titles=[Found(value=str(len(body)), how="length")],
        site_names=[Found(value=str(os.getpid()), how="pid")],
        languages=[Found(value=headers.get("language", ""), how="header")],
        noindex=_is_warm == [True],
    )


def die(_body: bytes, *, url: str, status: int | None = None, headers: Mapping[str, str]) -> PageFacts:
    """What a damaged library does at every page."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return PageFacts(url=url)
