"""What this worker holds: every row from its claim until the database has taken or refused its outcome."""

from __future__ import annotations

from uuid import UUID

from domain_queue.jobs import Job, Verdict


class InFlight:
    """Jobs by ``seq``. ``running`` counts those whose handler has not ended."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.running = 0

    def begin(self, jobs: list[Job]) -> None:
        """Hold ``jobs``, whose handlers are about to run."""
        self.running += len(jobs)
        for job in jobs:
            self.jobs[job.claim.seq] = job

    def forget(self, job: Job) -> None:
        """Hold ``job`` no longer. A later claim of the same row is left alone."""
        if self.jobs.get(job.claim.seq) is job:
            del self.jobs[job.claim.seq]

    def stop_others(self, worker_id: UUID | None, verdict: Verdict) -> int:
        """Stop the handlers of all jobs that were not claimed as ``worker_id``; how many were told so now."""
        others = [job for job in self.jobs.values() if job.worker_id != worker_id and job.is_running]
        for job in others:
            job.stop(verdict)
        return len(others)

    def running_jobs(self) -> list[Job]:
        """Those whose handler has not ended and was not told to stop."""
        return [job for job in self.jobs.values() if job.is_running and job.verdict is None]
