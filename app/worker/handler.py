"""One claim, from the domain to its result."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from app.database import Database
from app.worker.kept import has_failed_pages, keep_what_could_not_be_read
from domain_queue import Claim, Fail, Handler, Job, Result, Retry
from extractor.address import normalise_domain
from extractor.errors import AddressError, Permanent, Transient
from extractor.models import SiteReport
from extractor.site import Previous, Scanner

SELECT_PREVIOUS = """
    SELECT domain_metadata
    FROM domains
    WHERE id = %(id)s
"""


def scan_handler(scanner: Scanner, database: Database, *, per_address: int) -> Handler:
    """A handler that scans the claimed domain; at most ``per_address`` scans talk to one IP address at once."""

    async def handle(job: Job) -> Result | None:
        claim = job.claim
        domain = canonical_domain(claim)
        try:
            scan = await scanner.scan(
                domain,
                max_pages=claim.max_pages,
                progress=job.report_progress,
                address_slot=lambda address: address_slot(job, address, per_address),
                previous=await load_previous(database, claim),
                force=claim.force,
            )
        except Transient as error:
            after = None if error.retry_after_seconds is None else timedelta(seconds=error.retry_after_seconds)
            raise Retry(error.code, with_credits(error.message, error.credits_spent), after=after) from error
        except (Permanent, AddressError) as error:
            raise Fail(error.code, with_credits(error.message, error.credits_spent)) from error
        report = scan.report
        if report.blocked is not None and await has_something_to_keep(database, claim):
            message = f"The site refused the scan ({report.blocked}); the earlier result is kept."
            raise Fail("blocked", with_credits(message, report.fetch_credits))
        if report.blocked is None and claim.has_result and has_failed_pages(report):
            earlier = await load_report(database, claim)
            if earlier is not None:
                keep_what_could_not_be_read(report, earlier)
        return as_result(report, scan.validators)

    return handle


def with_credits(message: str, spent: int) -> str:
    """The message, and what the paid fetching service charged: a scan that failed has no other place to say it."""
    return f"{message} Credits of the fetching service spent: {spent}." if spent else message


def canonical_domain(claim: Claim) -> str:
    """The claim's domain, which may have been written into the table by hand.

    Raises:
        Fail: it is no domain name, or not in its canonical spelling.
    """
    try:
        canonical = normalise_domain(claim.domain)
    except AddressError as error:
        raise Fail(error.code, error.message) from error
    if canonical != claim.domain:
        raise Fail("not_canonical", f"Submit it as {canonical}: the row does not hold the canonical name.")
    return canonical


def address_slot(job: Job, address: str, limit: int) -> AbstractAsyncContextManager[None]:
    """Hold one of the address's places, counted over all workers."""
    return job.slot(f"address:{address}", limit)


HAS_SOMETHING_TO_KEEP = """
    SELECT domain_metadata ->> 'blocked' IS NULL
    FROM domains
    WHERE id = %(id)s
"""


async def has_something_to_keep(database: Database, claim: Claim) -> bool:
    """Whether an earlier scan read the site: one that was refused as well has left nothing to protect."""
    if not claim.has_result:
        return False
    async with database.system() as conn:
        row = await (await conn.execute(HAS_SOMETHING_TO_KEEP, {"id": claim.id})).fetchone()
    return row is not None and bool(row[0])


async def load_previous(database: Database, claim: Claim) -> Previous | None:
    """The last report, where validators make a conditional request possible; no connection is kept."""
    if not claim.http_validators or claim.force:
        return None
    report = await load_report(database, claim)
    return None if report is None else Previous(report, claim.http_validators)


async def load_report(database: Database, claim: Claim) -> SiteReport | None:
    """What an earlier scan stored; None where nothing is, or another version of the program wrote it."""
    async with database.system() as conn:
        cur = await conn.execute(SELECT_PREVIOUS, {"id": claim.id})
        row = await cur.fetchone()
    if row is None or row[0] is None:
        return None
    try:
        return SiteReport.model_validate(row[0])
    except ValidationError:
        return None


def as_result(report: SiteReport, validators: dict[str, Any]) -> Result:
    """The columns of ``domains`` out of the document, and the document itself."""
    return Result(
        title=report.title,
        description=report.description,
        language=report.language,
        is_wordpress=report.is_wordpress,
        wordpress_version=report.wordpress_version,
        email_addresses=report.email_addresses,
        phone_numbers=report.phone_numbers,
        favicon_url=report.favicon_url,
        logo_url=report.logo_url,
        metadata=report.model_dump(mode="json"),
        http_validators=validators or None,
    )
