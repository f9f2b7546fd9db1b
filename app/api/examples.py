"""What every answer of the API looks like, for its OpenAPI document: one real example for each route and status."""

from __future__ import annotations

import json
from typing import Any

from app.api.schemas import BATCHES, EXAMPLE_ID, SCANS

Document = dict[str, Any]

BATCH_ID = "0199a2c4-9b11-7d52-8c3e-5a1de0c7f2b4"
SUBMITTED, STARTED, ENDED = "2026-01-05T08:00:00Z", "2026-01-05T08:00:00.190Z", "2026-01-05T08:00:02.730Z"
HOME, CONTACT = "https://www.example.com/", "https://www.example.com/contact"

NOT_PUBLIC = "That name exists only inside a network; enter a public domain name, for instance example.com."

RESULT: Document = {
    "domain": "example.com",
    "final_url": HOME,
    "http_status": 200,
    "max_pages": 5,
    "pages": [
        {"url": HOME, "status": 200, "title": "Example & Sons", "bytes": 18211, "ms": 140},
        {"url": CONTACT, "status": 200, "title": "Contact", "bytes": 9120, "ms": 95},
    ],
    "title": "Example & Sons",
    "description": "Joiners in Bristol since 1998.",
    "language": "en",
    "favicon_url": f"{HOME}favicon.ico",
    "logo_url": f"{HOME}logo.svg",
    "email_addresses": ["office@example.com"],
    "phone_numbers": ["+441174960123"],
    "physical_addresses": ["12 Oak Street, Bristol, BS1 4ST, GB"],
    "social_links": {"linkedin": "https://www.linkedin.com/company/example"},
    "is_wordpress": True,
    "wordpress_version": "6.8.2",
    "technologies": [{"name": "nginx", "version": "1.25", "categories": ["Web servers"]}],
    "evidence": {"email_addresses:office@example.com": {"url": CONTACT, "how": "mailto link"}},
    "blocked": None,
}

FOUND: Document = {
    key: RESULT[key]
    for key in (
        *("title", "description", "language", "is_wordpress", "wordpress_version", "email_addresses", "phone_numbers"),
        *("favicon_url", "logo_url", "blocked"),
    )
}

JOB: Document = {
    "job_id": EXAMPLE_ID,
    "status": "completed",
    "domain": "example.com",
    "progress": 1.0,
    "step": None,
    "created_at": SUBMITTED,
    "updated_at": ENDED,
    "started_at": STARTED,
    "completed_at": ENDED,
    "attempt": 1,
    "max_attempts": 5,
    "error": None,
    "queue": None,
    "metadata": RESULT,
}
PENDING_JOB: Document = JOB | {
    "status": "pending",
    "progress": 0.0,
    "updated_at": SUBMITTED,
    "started_at": None,
    "completed_at": None,
    "attempt": 0,
    "queue": {"position": 1, "workers_alive": 2},
    "metadata": {"domain": "example.com", "max_pages": 5},
}
CANCELLED_JOB: Document = PENDING_JOB | {"status": "cancelled", "queue": None, "completed_at": STARTED}

DOMAIN: Document = {
    "id": EXAMPLE_ID,
    "domain": "example.com",
    "status": "completed",
    "priority": 50,
    "max_pages": 5,
    "batch_id": None,
    "progress": 1.0,
    "step": None,
    "attempt": 1,
    "max_attempts": 5,
    "last_error": None,
    "error_code": None,
    "rescan_every": "P7D",
    **FOUND,
    "created_at": SUBMITTED,
    "updated_at": ENDED,
    "started_at": STARTED,
    "completed_at": ENDED,
}

BATCH: Document = {
    "batch_id": BATCH_ID,
    "status_url": f"{BATCHES}/batch/{BATCH_ID}/status",
    "job_count": 2,
    "created_at": SUBMITTED,
    "duplicates": 1,
    "rejected": [
        {"line": 4, "input": "localhost", "code": "special_use_name", "message": NOT_PUBLIC},
    ],
}

#: By the name of the answer's schema.
ANSWERS: dict[str, Document] = {
    "ScanAccepted": {
        "job_id": EXAMPLE_ID,
        "status_url": f"{SCANS}/status/{EXAMPLE_ID}",
        "created_at": SUBMITTED,
        "domain": "example.com",
        "status": "pending",
    },
    "JobStatus": JOB,
    "BatchAccepted": BATCH,
    "ImportAccepted": BATCH | {"column": "website"},
    "BatchStatus": {
        "batch_id": BATCH_ID,
        "status": "processing",
        "total_domains": 2,
        "completed_domains": 1,
        "failed_domains": 0,
        "progress": 0.5,
        "created_at": SUBMITTED,
        "updated_at": ENDED,
        "counts": {"pending": 1, "processing": 0, "completed": 1, "error": 0, "cancelled": 0, "active": 0},
        "domains": [
            {
                "job_id": EXAMPLE_ID,
                "status_url": f"{SCANS}/status/{EXAMPLE_ID}",
                "domain": "example.com",
                "status": "completed",
                "progress": 1.0,
                "step": None,
                "title": RESULT["title"],
                "email_addresses": RESULT["email_addresses"],
                "phone_numbers": RESULT["phone_numbers"],
                "error": None,
                "blocked": None,
                "attempt": 1,
                "updated_at": ENDED,
                "completed_at": ENDED,
            }
        ],
        "next_cursor": "0",
    },
    "BatchChange": {"batch_id": BATCH_ID, "status_url": BATCH["status_url"], "changed": 12},
    "DomainPage": {"domains": [DOMAIN], "next_cursor": "WyJuZXdlc3QiLG51bGwsMTIzXQ"},
    "DomainDetail": DOMAIN | {"errors": [], "domain_metadata": RESULT},
    "DomainChanges": {
        "changes": [
            {"changed_at": ENDED, "field": "title", "old_value": "Example Ltd", "new_value": "Example & Sons"},
        ],
        "next_cursor": None,
    },
    "Health": {"status": "ok", "version": "1.0.0"},
    "Readiness": {
        "ready": True,
        "checks": [
            {"name": "database", "ok": True, "seen": "Postgres 18.0 answers", "advice": None, "ms": 1.9},
            {"name": "migrations", "ok": True, "seen": "all 5 applied", "advice": None, "ms": 0.8},
            {"name": "worker", "ok": True, "seen": "2 alive", "advice": None, "ms": 0.5},
            {"name": "oldest_pending", "ok": True, "seen": "nothing is waiting", "advice": None, "ms": 0.4},
        ],
    },
    "Overview": {
        "queue": {"active": 0, "pending": 3, "processing": 1, "completed": 240, "error": 4, "cancelled": 0},
        "oldest_pending_seconds": 0.4,
        "workers_alive": 1,
        "workers": [
            {
                "name": "worker-1:4711",
                "version": "1.0.0",
                "concurrency": 100,
                "in_flight": 1,
                "wake_mode": "listen",
                "draining": False,
                "started_at": "2026-01-05T07:00:00Z",
                "renewed_at": ENDED,
                "lease_expires_at": "2026-01-05T08:00:30Z",
            }
        ],
        "errors": [{"code": "timed_out", "count": 4, "example": "The site did not answer in time."}],
        "finished": [{"minute": SUBMITTED, "completed": 240, "failed": 4}],
    },
}

CSV = (
    "\ufeffdomain,status,title,description,language,email_addresses,phone_numbers,physical_addresses,facebook,x,"
    "linkedin,instagram,youtube,is_wordpress,wordpress_version,technologies,final_url,error_code,last_error,created_at,"
    "completed_at,id\r\n"
    '"example.com","completed","Example & Sons","Joiners in Bristol since 1998.","en","office@example.com",'
    '"\'+441174960123","12 Oak Street, Bristol, BS1 4ST, GB","","","https://www.linkedin.com/company/example","","",'
    f'"true","6.8.2","nginx 1.25","{HOME}","","","{SUBMITTED}","{ENDED}","{EXAMPLE_ID}"\r\n'
)
EXPORTED = {
    key: DOMAIN[key]
    for key in (
        *("id", "domain", "status", "title", "description", "language", "is_wordpress", "wordpress_version"),
        *("email_addresses", "phone_numbers", "favicon_url", "logo_url", "error_code", "last_error", "batch_id"),
        *("created_at", "updated_at", "completed_at"),
    )
} | {"domain_metadata": RESULT}
#: By the media type of an answer that is no JSON document.
TEXTS = {
    "text/csv": CSV,
    "application/x-ndjson": json.dumps(EXPORTED) + "\n",
    "text/event-stream": f"event: status\nid: 48213\ndata: {json.dumps(JOB)}\n\n",
    "text/plain": (
        "# HELP scrapersky_http_requests_total Requests by route and status.\n"
        "# TYPE scrapersky_http_requests_total counter\n"
        'scrapersky_http_requests_total{method="GET",route="/health",status="200"} 7.0\n'
    ),
}


def _error(code: str, message: str, *details: Document) -> Document:
    return {"error": {"code": code, "message": message, "details": list(details)}}


ERRORS: dict[str, Document] = {
    "400": _error(
        "malformed_id",
        "The id in the address is cut off or mistyped: it is no UUID.",
        {"field": "job_id", "message": "Input should be a valid UUID", "code": "uuid_parsing"},
    ),
    "401": _error("unauthorized", "The token is not known here, or was revoked."),
    "403": _error("foreign_request", "Another site sent this request."),
    "409": _error("already_ended", "The job has ended already: completed."),
    "413": _error("too_large", "The body is larger than 8388608 bytes."),
    "422": _error(
        "invalid_value",
        "limit: Input should be less than or equal to 500",
        {"field": "limit", "message": "Input should be less than or equal to 500", "code": "less_than_equal"},
    ),
    "429": _error("rate_limited", "More than 6000 requests a minute."),
    "503": _error("database_away", "The database does not answer; try again in a few seconds."),
}
MALFORMED_JSON = _error("malformed_json", "The body is not valid JSON.")
NOT_READY: Document = {
    "ready": False,
    "checks": [
        {"name": "database", "ok": True, "seen": "Postgres 18.0 answers", "advice": None, "ms": 1.9},
        {"name": "worker", "ok": False, "seen": "none alive", "advice": "start one: worker run", "ms": 0.5},
    ],
}
#: Where a route has more to say than its schema or status: the operation's id and the status.
OWN: dict[tuple[str, str], Document] = {
    ("scans_scan", "400"): MALFORMED_JSON,
    ("batches_create", "400"): MALFORMED_JSON,
    ("scans_scan", "422"): _error("special_use_name", NOT_PUBLIC),
    ("batches_create", "422"): _error(
        "no_valid_domains",
        "No line names a public domain.",
        {"line": 1, "input": "localhost", "code": "special_use_name", "message": NOT_PUBLIC},
    ),
    ("scans_cancel_job", "200"): CANCELLED_JOB,
    ("scans_retry_job", "200"): PENDING_JOB,
    ("scans_retry_job", "409"): _error(
        "nothing_to_retry", "The job did not fail; submit the domain again to scan it anew."
    ),
    ("domains_logo", "404"): _error("image_unavailable", "The site does not give this picture."),
    ("domains_favicon", "404"): _error("no_image", "No scan has found such a picture."),
    ("operations_ready", "503"): NOT_READY,
}


#: What a route's group is about.
THINGS = {"scans": "job", "batches": "batch", "domains": "domain"}


def add_examples(document: Document) -> Document:
    """The OpenAPI document with an example in every answer that is text; pictures have none."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                _add_to_answer(operation["operationId"], status, answer)
    return document


def _add_to_answer(operation: str, status: str, answer: Document) -> None:
    content = answer.get("content", {})
    if status >= "400" and "text/event-stream" in content:
        # Errors of the stream's own route are documents like all others.
        content["application/json"] = content.pop("text/event-stream")
    for media_type, body in content.items():
        example = _example(operation, status, media_type, body)
        if example is not None:
            body["example"] = example


def _example(operation: str, status: str, media_type: str, body: Document) -> Any:
    if media_type != "application/json":
        return TEXTS.get(media_type)
    own = OWN.get((operation, status))
    if own is not None:
        return own
    name = body["schema"]["$ref"].rpartition("/")[2]
    if name != "ErrorDocument":
        return ANSWERS[name]
    if status == "404":
        return _error("not_found", f"There is no such {THINGS[operation.partition('_')[0]]}.")
    return ERRORS[status]
