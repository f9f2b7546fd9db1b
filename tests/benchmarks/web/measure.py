"""How much memory a process has."""

from __future__ import annotations

from pathlib import Path


def rss_mb(pid: int) -> float:
    """Resident memory now, in MB."""
    return _field(pid, "VmRSS")


def peak_rss_mb(pid: int) -> float:
    """The most resident memory that it ever had, in MB."""
    return _field(pid, "VmHWM")


def _field(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise LookupError(name)
