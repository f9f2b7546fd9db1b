"""What a worker can be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Everything but ``conninfo`` has a default that fits one process on one machine.

    Raises:
        ValueError: a value is out of its range.
    """

    conninfo: str
    listen_conninfo: str | None = None  #: direct or session mode, for LISTEN; None is ``conninfo``
    name: str = "worker"  #: shown to people and in application_name; need not be unique
    version: str = ""
    concurrency: int = 100  #: handlers running at once
    batch_size: int | None = None  #: most rows in one claim; None leaves it to the free slots
    poll_seconds: float = 60.0  #: longest time between two looks at the queue, jittered by a tenth
    lease_seconds: float = 30.0  #: others take over so long after this process stops without a word
    shutdown_seconds: float = 20.0  #: how long running handlers may go on at a stop
    handler_timeout_seconds: float = 300.0  #: a handler that takes longer is cancelled: Retry, code ``timed_out``
    statement_seconds: float = 10.0  #: deadline of every statement
    backoff_base_seconds: float = 5.0
    backoff_cap_seconds: float = 3600.0
    sweep_rows: int = 1000  #: most rows taken back in one sweep
    flush_rows: int = 1000  #: most outcomes in one statement
    gather_seconds: float = 0.005  #: how long the first outcome waits for others
    prepared_statements: bool = True  #: False behind a transaction pooler
    watched_metadata: tuple[str, ...] = ()  #: keys of the result document whose changes are kept
    drain: bool = False  #: return when nothing is claimable

    def __post_init__(self) -> None:
        for name in (
            "concurrency",
            "poll_seconds",
            "lease_seconds",
            "handler_timeout_seconds",
            "statement_seconds",
            "sweep_rows",
            "flush_rows",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError("batch_size must be at least 1")
        if self.backoff_cap_seconds < self.backoff_base_seconds or self.backoff_base_seconds < 0:
            raise ValueError("backoff_base_seconds must be between 0 and backoff_cap_seconds")
