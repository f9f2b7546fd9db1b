"""Room for the connections of as many scans as the worker runs at once."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger("app.worker")

#: Two requests at once, and for each a second address that is tried while the first is silent.
FILES_PER_SCAN = 4
#: Database links, the children's sockets, threads that ask DNS, log and metrics.
OTHER_FILES = 200


def files_needed(concurrency: int) -> int:
    """How many descriptors so many scans at once may have open."""
    return OTHER_FILES + FILES_PER_SCAN * concurrency


def scans_allowed(limit: int) -> int:
    """How many scans at once so many descriptors are enough for; at least one."""
    return max(1, (limit - OTHER_FILES) // FILES_PER_SCAN)


def make_room(concurrency: int) -> int:
    """Raise the soft limit of open files to what ``concurrency`` scans need, and return it.

    The hard limit is the operator's: where it is too low, a warning says what it allows and what to do.
    """
    soft, hard = (_as_number(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    needed = files_needed(concurrency)
    if soft >= needed:
        return soft
    raised = _raise_to(min(needed, hard), soft)
    if raised < needed:
        allowed = scans_allowed(raised)
        log.warning(
            "open_files_limit_too_low",
            limit=raised,
            needed=needed,
            concurrency=concurrency,
            allowed_concurrency=allowed,
            advice=f"set WORKER_CONCURRENCY={allowed}, or allow {needed} open files (ulimit -Hn, LimitNOFILE=)",
        )
    return raised


def _raise_to(limit: int, soft: int) -> int:
    if limit <= soft:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except (ValueError, OSError):
        return soft  # some kernels have a lower bound than the hard limit tells
    log.info("open_files_limit_raised", limit=limit, before=soft)
    return limit


def _as_number(limit: int) -> int:
    return 2**31 if limit == resource.RLIM_INFINITY else limit
