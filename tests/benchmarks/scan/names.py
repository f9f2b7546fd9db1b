"""The names of the benchmark's sites."""

from __future__ import annotations


def site_names(count: int) -> list[str]:
    """So many names, each a registrable domain of its own."""
    return [f"plain-{number}-fixture.com" for number in range(count)]
