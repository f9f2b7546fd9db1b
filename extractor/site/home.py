"""Finding the home page: https before http, the bare name before www., and what its status means."""

from __future__ import annotations

from yarl import URL

from extractor.errors import ExtractError, Permanent, Transient
from extractor.fetch import Reply
from extractor.models import PageFacts
from extractor.robots import rate_limited, retry_after_seconds
from extractor.site.visit import Validators, Visit, is_html

#: Failures of one address of the site after which another of its addresses may still answer.
_TRY_NEXT = frozenset({
    *("no_such_domain", "dns_failed", "refused_address"),
    *("connect_failed", "connection_lost", "timed_out", "tls_certificate", "tls_failed", "bad_response"),
})  # fmt: skip
#: The name itself is the trouble, so the other scheme of the same name has it too.
_NAME_FAILED = frozenset({"no_such_domain", "dns_failed", "refused_address"})
#: How far a request came, furthest first; whatever is not named is a definite answer of the site.
_FURTHEST = (
    *("bad_response", "timed_out", "connection_lost", "tls_certificate", "tls_failed"),
    *("connect_failed", "refused_address", "dns_failed", "no_such_domain"),
)  # fmt: skip
#: Statuses of protected sites: the page says more in `blocked`, and the paid service may get through.
REFUSALS = frozenset({401, 402, 403, 405, 406, 423, 451})
#: Kinds of `blocked` that are a defence against programs, whatever the status.
WALLS = frozenset({
    *("akamai", "aws_waf", "captcha", "cloudflare", "datadome", "imperva", "javascript_wall", "perimeterx"),
    *("sucuri", "wordfence"),
})  # fmt: skip
#: Kinds that mean that nobody's site is there.
NOBODY_HOME = frozenset({"default_page", "expired", "parked", "suspended"})
#: Kinds that are no defence: the paid service would see the same.
NOTHING_TO_SHOW = NOBODY_HOME | {"coming_soon", "login", "maintenance", "soft_404"}


def home_urls(domain: str) -> list[URL]:
    """Where the home page may be, in the order they are tried."""
    hosts = [domain] if domain.startswith("www.") else [domain, f"www.{domain}"]
    return [URL(f"{scheme}://{host}/", encoded=True) for host in hosts for scheme in ("https", "http")]


async def fetch_home(visit: Visit, domain: str, validators: Validators | None = None) -> Reply:
    """The first home page that answers, redirects followed, also to another site.

    A bad certificate is passed over: the same name is tried over http, and only if that fails too is the certificate
    the error. ``validators`` make the request conditional, so that the reply may be a 304 without a body.

    Raises:
        Permanent, Transient: the most telling failure of all addresses tried; nothing was read.
    """
    failures: list[ExtractError] = []
    failed_hosts: set[str] = set()
    for url in home_urls(domain):
        if str(url.host) in failed_hosts:
            continue
        trail: list[URL] = []
        try:
            return await visit.follow(url, stay_on_site=False, validators=validators, trail=trail)
        except (Permanent, Transient) as error:
            if trail and error.code == "refused_address":
                raise  # the site answered and sent us inside: that is its definite answer
            failures.append(error)
            if error.code not in _TRY_NEXT or visit.pace.remaining_seconds() <= 0:
                break
            if error.code in _NAME_FAILED:
                failed_hosts.add(str(url.host))
    raise most_telling(failures)


def most_telling(failures: list[ExtractError]) -> ExtractError:
    """Of several addresses' failures the one to report: the one that came furthest, the first among equals."""
    return min(failures, key=lambda error: _FURTHEST.index(error.code) if error.code in _FURTHEST else -1)


def refusal_of(reply: Reply, facts: PageFacts | None) -> str | None:
    """Why the site does not show us its home page, in one word; None where it does, or where its status says more."""
    kind = facts.blocked if facts is not None else None
    if reply.status in REFUSALS:
        return kind or "forbidden"
    if 200 <= reply.status < 300:
        return kind or ("soft_404" if facts is not None and facts.soft_404 else None)
    if reply.status == 503 and kind in WALLS:
        return kind
    if reply.status in (404, 410) and kind in WALLS | NOBODY_HOME:
        return kind
    return None  # protection services put their name on a broken server's 502 and 522 too


def raise_for_home(reply: Reply, facts: PageFacts | None) -> None:
    """Raise where the answer is no page at all.

    Raises:
        Transient: rate_limited, http_5xx, http_4xx for 408 and 425, and empty_page, because a broken program sends
            nothing just as an empty site does. Permanent: not_found, http_4xx, bad_redirect, not_html.
    """
    status = reply.status
    if 200 <= status < 300:
        if not is_html(reply) or (facts is not None and not facts.is_html):
            raise Permanent("not_html", "The home page is no HTML page.")
        if not reply.body.strip():
            raise Transient("empty_page", "The home page is empty.")
        return
    if status == 429:
        raise rate_limited(reply.headers.get("retry-after"))
    if status >= 500:
        after = retry_after_seconds(reply.headers.get("retry-after"))
        message = f"The site answers with a server error (HTTP status {status})."
        raise Transient("http_5xx", message, retry_after_seconds=after)
    if status in (408, 425):
        raise Transient("http_4xx", f"The site did not take the request this time (HTTP status {status}).")
    if status in (404, 410):
        raise Permanent("not_found", f"The site has no home page (HTTP status {status}).")
    if 300 <= status < 400:
        raise Permanent("bad_redirect", "The site redirects to an address that cannot be followed.")
    raise Permanent("http_4xx", f"The site refuses the request (HTTP status {status}).")


def may_get_through(blocked: str) -> bool:
    """Whether the paid service could help: not where the site itself has nothing to show."""
    return blocked not in NOTHING_TO_SHOW
