"""What the pages say in words: states, errors, and what to try."""

from __future__ import annotations

from domain_queue import DomainStatus

STATUS_WORDS: dict[str, str] = {
    DomainStatus.ACTIVE: "Stored",
    DomainStatus.PENDING: "Waiting",
    DomainStatus.PROCESSING: "Scanning",
    DomainStatus.COMPLETED: "Done",
    DomainStatus.ERROR: "Failed",
    DomainStatus.CANCELLED: "Cancelled",
}

CHECK_SPELLING = "Check the spelling, or open the site in a browser: it may have moved to another name."
TRY_LATER = "Often this passes. Try again in a few minutes."
BLOCKS = "The site answers browsers but turns programs away. Look at it by hand, or turn on the paid fetch service."

ADVICE: dict[str, str] = {
    "no_such_domain": CHECK_SPELLING,
    "dns_failed": TRY_LATER,
    "timed_out": "The site is slow or busy. " + TRY_LATER,
    "connect_failed": "Its server may be down. " + TRY_LATER,
    "connection_lost": TRY_LATER,
    "tls_certificate": "Its owner has to renew the certificate; until then nothing is read from it.",
    "tls_failed": TRY_LATER,
    "refused_address": "The name leads into a private network. Only public sites are read.",
    "robots_disallowed": "That is respected. Look at it by hand.",
    "robots_unreachable": "The site's rules for programs could not be read, so nothing else was. " + TRY_LATER,
    "not_found": CHECK_SPELLING,
    "left_the_site": "The name leads to another site; scan that one instead.",
    "bad_redirect": "The site sends visitors to an address that cannot be read; its owner has to mend it.",
    "bad_response": "Open it in a browser: it may serve something else than a web site.",
    "bad_encoding": "Its owner has to correct how the server packs its pages.",
    "out_of_credits": "The paid fetch service has no credits left, or this scan's budget is used up.",
    "service_busy": TRY_LATER,
    "service_failed": TRY_LATER,
    "out_of_resources": "This server is short of memory or processes. " + TRY_LATER,
    "blocked": BLOCKS,
    "empty_page": "Open it in a browser: it may be built by scripts alone, which only the paid fetch service runs.",
    "not_html": "It is a file, not a page for people, so there is nothing to read from it.",
    "too_many_redirects": "The site sends visitors round in a circle; its owner has to mend it.",
    "rate_limited": TRY_LATER,
    "reader_unavailable": "This server cannot read any page now. Tell whoever runs it: its log says why.",
    "page_too_costly": "Its pages take too much memory or time to read, and are left alone.",
    "worker_lost": "Whoever worked on it vanished every time; this site may bring the reader down.",
    "internal_error": "The fault is on our side and was logged. Try again; if it stays, tell whoever runs this server.",
}
GENERAL_ADVICE = "Try again in a while; if it stays, open the site in a browser to see what it shows."

SORT_WORDS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "domain": "Name, A to Z",
    "-domain": "Name, Z to A",
    "-completed_at": "Scanned last",
    "completed_at": "Scanned longest ago",
}

BATCH_SORT_WORDS = {
    "submitted": "As submitted",
    "domain": "Name, A to Z",
    "-domain": "Name, Z to A",
    "status": "Waiting first",
    "-status": "Cancelled and failed first",
    "-completed_at": "Latest finished",
    "completed_at": "Earliest finished",
}

FIELD_WORDS = {
    "is_wordpress": "WordPress",
    "wordpress_version": "WordPress version",
    "email_addresses": "E-mail addresses",
    "phone_numbers": "Phone numbers",
    "logo_url": "Logo",
    "favicon_url": "Icon",
}


def advice_for(code: str) -> str:
    """What to try after an error of this code."""
    return ADVICE.get(code, GENERAL_ADVICE)


def field_word(name: str) -> str:
    """A field's name for people."""
    return FIELD_WORDS.get(name, name.replace("_", " ").capitalize())
