"""Prometheus metrics: what the database says of the queue, and what a worker says of itself."""

from app.metrics.queue import QueueGauges, render
from app.metrics.server import served
from app.metrics.worker import WorkerMetrics

__all__ = ["QueueGauges", "WorkerMetrics", "render", "served"]
