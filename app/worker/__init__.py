"""The worker process: the queue's worker, given the extractor as its handler."""

from app.worker.process import run_worker

__all__ = ["run_worker"]
