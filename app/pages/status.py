"""The queue at a glance, drawn on the server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.overview import read_overview
from app.api.services import ServicesDep
from app.pages.rendering import render
from app.pages.visitors import VisitorDep
from app.pages.wording import advice_for
from domain_queue import DomainStatus

router = APIRouter()

CHART_MINUTES = 60
CHART_WIDTH = 720
CHART_HEIGHT = 140
SHOWN_STATUSES = ("pending", "processing", "completed", "error", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One minute of the chart, in its units."""

    x: float
    width: float
    completed_y: float
    completed_height: float
    failed_y: float
    failed_height: float
    label: str


def draw_bars(finished: list[dict[str, Any]], now: datetime) -> tuple[list[Bar], int]:
    """Sixty bars, the last one this minute, and the value of the tallest."""
    by_minute = {row["minute"]: row for row in finished}
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=CHART_MINUTES - 1)
    minutes = [first + timedelta(minutes=number) for number in range(CHART_MINUTES)]
    counts = [(row["completed"], row["failed"]) if (row := by_minute.get(at)) else (0, 0) for at in minutes]
    top = max(1, *(completed + failed for completed, failed in counts))
    step = CHART_WIDTH / CHART_MINUTES
    bars = []
    for number, (at, (completed, failed)) in enumerate(zip(minutes, counts, strict=True)):
        done, lost = (count / top * CHART_HEIGHT for count in (completed, failed))
        bars.append(
            Bar(
                x=round(number * step + 1, 2),
                width=round(step - 2, 2),
                completed_y=round(CHART_HEIGHT - done, 2),
                completed_height=round(done, 2),
                failed_y=round(CHART_HEIGHT - done - lost, 2),
                failed_height=round(lost, 2),
                label=f"{at:%H:%M} UTC: {completed} done, {failed} failed",
            )
        )
    return bars, top


@router.get("/status")
async def show_status(request: Request, identity: VisitorDep, services: ServicesDep) -> Response:
    """Depths, ages, throughput of the last hour, workers and errors."""
    async with services.database.tenant(identity.tenant_id) as conn:
        overview = await read_overview(conn, identity.tenant_id)
    now = datetime.now(UTC)
    bars, top = draw_bars(overview["finished"], now)
    completed = sum(row["completed"] for row in overview["finished"])
    failed = sum(row["failed"] for row in overview["finished"])
    values = {
        "overview": overview,
        "shown_statuses": [DomainStatus(status) for status in SHOWN_STATUSES],
        "bars": bars,
        "top": top,
        "width": CHART_WIDTH,
        "height": CHART_HEIGHT,
        "completed": completed,
        "failed": failed,
        "errors": [{**error, "advice": advice_for(error["code"])} for error in overview["errors"]],
        "now": now,
    }
    return render(request, "status.html", values)
