"""What a check says."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Check(BaseModel):
    """One link of the chain: what was seen of it, how long that took, and what to do where it is broken."""

    name: str = Field(default="", description="Stable; given by the list of checks.")
    ok: bool = Field(description="False: broken, or not looked at because a check that it needs is broken.")
    seen: str = Field(description="What was found, for a person.")
    advice: str | None = Field(default=None, description="What to do; on a check that is ok, a warning.")
    ms: float = Field(default=0, description="How long the look took, in milliseconds.")

    @property
    def was_skipped(self) -> bool:
        """Whether it was not looked at."""
        return not self.ok and self.seen.startswith("skipped: ")


class Report(BaseModel):
    """All checks, in the order of the chain."""

    checks: list[Check]

    @property
    def ok(self) -> bool:
        """Whether no link is broken."""
        return all(check.ok for check in self.checks)


def sound(seen: str) -> Check:
    """The link holds."""
    return Check(ok=True, seen=seen)


def warning(seen: str, advice: str) -> Check:
    """The link holds, and something about it should be known."""
    return Check(ok=True, seen=seen, advice=advice)


def broken(seen: str, advice: str) -> Check:
    """The link does not hold."""
    return Check(ok=False, seen=seen, advice=advice)


def skipped(needs: str) -> Check:
    """Not looked at, because ``needs`` is broken."""
    return Check(ok=False, seen=f"skipped: needs {needs}")
