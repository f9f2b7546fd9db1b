"""Every error leaves in one shape: {"error": {"code", "message", "details"}}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import InterfaceError, OperationalError
from psycopg.errors import (
    DataError,
    DeadlockDetected,
    ForeignKeyViolation,
    InsufficientPrivilege,
    QueryCanceled,
    ReadOnlySqlTransaction,
    SerializationFailure,
    UndefinedTable,
)
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.database import DatabaseAway
from extractor.errors import AddressError

log = structlog.get_logger("app.api")

RETRY_SECONDS = 5


class ErrorDetail(BaseModel):
    """One thing that is wrong with a request."""

    field: str | None = Field(default=None, description="Where in the request, for instance max_pages.")
    message: str = Field(description="What is wrong with it.")
    code: str | None = Field(default=None, description="For machines.")
    line: int | None = Field(default=None, description="For lists and files: the line, from 1.")
    input: str | None = Field(default=None, description="What was refused, cut to 200 characters.")


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="Stable, for machines.", examples=["not_found"])
    message: str = Field(description="One sentence for a person.", examples=["There is no such job."])
    details: list[ErrorDetail] = Field(default_factory=list, description="One entry for each thing that is wrong.")


class ErrorDocument(BaseModel):
    """The one shape of every error."""

    error: ErrorBody


class ApiError(Exception):
    """A refusal that a route or a dependency decided on."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[ErrorDetail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = list(details)
        self.headers = dict(headers or {})


def not_found(what: str = "job") -> ApiError:
    """404; the same for a row of another tenant as for none."""
    return ApiError(404, "not_found", f"There is no such {what}.")


def too_many(message: str, code: str, retry_after_seconds: float) -> ApiError:
    """429 with the whole seconds to wait."""
    return ApiError(429, code, message, headers={"Retry-After": str(max(1, round(retry_after_seconds + 0.5)))})


def answer(status: int, body: ErrorBody, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The error as a response."""
    content = ErrorDocument(error=body).model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, status_code=status, headers=dict(headers or {}))


def respond(request: Request, status: int, body: ErrorBody, headers: Mapping[str, str] | None = None) -> Response:
    """The error as JSON, or as a page where a browser asked for a page."""
    render = getattr(request.app.state, "render_error", None)
    page: Response | None = render(request, status, body) if render is not None else None
    if page is None:
        return answer(status, body, headers)
    page.headers.update(dict(headers or {}))
    return page


#: For OpenAPI: what any route may answer besides its success.
COMMON_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorDocument, "description": "The request cannot be read."},
    401: {"model": ErrorDocument, "description": "No token, or one that is not valid."},
    403: {"model": ErrorDocument, "description": "Another site sent this request, or the page's proof is missing."},
    413: {"model": ErrorDocument, "description": "The body is too large."},
    422: {"model": ErrorDocument, "description": "A value is refused; details name it."},
    429: {"model": ErrorDocument, "description": "A limit is reached; Retry-After says for how long."},
    503: {"model": ErrorDocument, "description": "The database is away; Retry-After says when to try again."},
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorDocument, "description": "Nothing of this id, or it is another tenant's."}
}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorDocument, "description": "The state of the job does not allow it."}
}

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout, PoolClosed, TooManyRequests)


def database_away(error: BaseException | None = None) -> tuple[int, ErrorBody, dict[str, str]]:
    """503 in words; a statement that ran out of time is told apart, because a narrower question may work."""
    if isinstance(error, QueryCanceled):
        body = ErrorBody(code="query_timeout", message="The question took too long to answer; narrow it down.")
    elif isinstance(error, DeadlockDetected | SerializationFailure):
        body = ErrorBody(code="busy", message="Two changes met; try again.")
    elif isinstance(error, PoolTimeout) and not isinstance(error, DatabaseAway):
        body = ErrorBody(code="busy", message="Too many requests wait for the database; try again in a few seconds.")
    else:
        body = ErrorBody(code="database_away", message="The database does not answer; try again in a few seconds.")
    return 503, body, {"Retry-After": str(RETRY_SECONDS)}


STATUS_CODES = {
    400: ("malformed", "The request cannot be read."),
    401: ("unauthorized", "A valid token is needed."),
    403: ("forbidden", "That is not allowed."),
    404: ("not_found", "There is nothing here."),
    405: ("method_not_allowed", "This address does not take that method."),
    413: ("too_large", "The body is too large."),
    415: ("malformed", "The body is not of a type that can be read here."),
}


def describe_validation(error: RequestValidationError) -> tuple[int, ErrorBody]:
    """400 where the request cannot be read (no JSON, a malformed id), 422 where a value is refused."""
    details = [_detail(item) for item in error.errors()][:100]
    kinds = {str(item["type"]) for item in error.errors()}
    places = {str(item["loc"][0]) for item in error.errors() if item["loc"]}
    if "json_invalid" in kinds:
        return 400, ErrorBody(code="malformed_json", message="The body is not valid JSON.", details=details)
    if any(item["loc"] == ("body",) for item in error.errors()):
        return 400, ErrorBody(code="malformed", message="The body has to be a JSON object.", details=details)
    if "path" in places:
        return 400, ErrorBody(
            code="malformed_id", message="The id in the address is cut off or mistyped: it is no UUID.", details=details
        )
    first = details[0]
    where = f"{first.field}: " if first.field else ""
    return 422, ErrorBody(code="invalid_value", message=f"{where}{first.message}"[:500], details=details)


def _detail(item: Mapping[str, Any]) -> ErrorDetail:
    place = ".".join(str(part) for part in item["loc"][1:]) or None
    message = str(item["msg"]).removeprefix("Value error, ")
    if str(item["type"]).startswith("time_delta_"):
        message = "Write seconds, or a duration of ISO 8601 such as P7D"
    return ErrorDetail(field=place and place[:200], message=message[:300], code=str(item["type"]))


def install(app: FastAPI) -> None:
    """Make every exception leave in the one shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(AddressError, _address_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _database_error)
    app.add_exception_handler(ReadOnlySqlTransaction, _read_only_error)
    app.add_exception_handler(DataError, _data_error)
    app.add_exception_handler(UndefinedTable, _schema_error)
    app.add_exception_handler(InsufficientPrivilege, _schema_error)
    app.add_exception_handler(ForeignKeyViolation, _reference_error)
    app.add_exception_handler(Exception, _bug)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - registered for this type alone
    body = ErrorBody(code=error.code, message=error.message, details=error.details)
    headers = {"WWW-Authenticate": "Bearer", **error.headers} if error.status == 401 else error.headers
    return respond(request, error.status, body, headers)


async def _address_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AddressError)  # noqa: S101 - registered for this type alone
    return respond(request, 422, ErrorBody(code=error.code, message=error.message))


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type alone
    return respond(request, *describe_validation(error))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    code, message = STATUS_CODES.get(error.status_code, ("refused", "The request was refused."))
    return respond(request, error.status_code, ErrorBody(code=code, message=message), error.headers)


async def _database_error(request: Request, error: Exception) -> Response:
    log.warning("database_unavailable", path=request.url.path, error_type=type(error).__name__)
    return respond(request, *database_away(error))


async def _read_only_error(request: Request, error: Exception) -> Response:
    """A replica, or a primary that was made read-only: reading goes on."""
    log.warning("database_read_only", path=request.url.path)
    message = "The database takes no changes now, so nothing was changed; what is there can be read."
    return respond(request, 503, ErrorBody(code="read_only", message=message), {"Retry-After": "30"})


async def _data_error(request: Request, error: Exception) -> Response:
    """Text that Postgres cannot hold (NUL, lone surrogates) and numbers beyond its types come from the request."""
    return respond(
        request, 422, ErrorBody(code="invalid_value", message="A value has characters or a size that cannot be kept.")
    )


async def _schema_error(request: Request, error: Exception) -> Response:
    log.error("schema_not_ready", path=request.url.path, error_type=type(error).__name__)
    message = "The database is not migrated to this version; run: scrapersky migrate"
    return respond(request, 503, ErrorBody(code="not_migrated", message=message), {"Retry-After": "30"})


async def _reference_error(request: Request, error: Exception) -> Response:
    """Only the tenant comes from outside the transaction, and a token's is always there: it is the settings' own."""
    assert isinstance(error, ForeignKeyViolation)  # noqa: S101 - registered for this type alone
    if "tenant" not in (error.diag.constraint_name or ""):
        return await _bug(request, error)
    log.error("default_tenant_unknown", path=request.url.path)
    message = "DEFAULT_TENANT_ID names no tenant; whoever runs this server has to correct it. Nothing was changed."
    return respond(request, 503, ErrorBody(code="unknown_tenant", message=message))


async def _bug(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, exc_info=error)
    return respond(request, 500, ErrorBody(code="internal_error", message="Something went wrong here; it was logged."))
