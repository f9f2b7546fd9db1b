"""What aiohttp, asyncio and the system raise, sorted by what the caller does about it.

The messages are the same for every site and every address: they go to the tenant.
"""

from __future__ import annotations

import errno
import ssl

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from extractor.errors import ExtractError, Permanent, Transient
from extractor.fetch.urls import REFUSED_ADDRESS
from extractor.network import NoSuchName, RefusedAddress

#: The machine's own limits, which are no fault of the site.
_OWN_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def timed_out() -> Transient:
    """The error for a deadline that passed."""
    return Transient("timed_out", "The site did not answer in time.")


def dns_failed() -> Transient:
    """The error for a name that nobody answered for."""
    return Transient("dns_failed", "The domain's name servers did not answer.")


def explain_lookup(error: OSError) -> ExtractError:
    """The error for a name that could not be looked up."""
    return _refusal(error) or dns_failed()


def explain(error: BaseException) -> ExtractError:
    """The error for a request that failed."""
    return _refusal(error) or _explain_connecting(error) or _explain_answer(error)


def _refusal(error: BaseException) -> ExtractError | None:
    if has_cause(error, RefusedAddress):
        return Permanent("refused_address", REFUSED_ADDRESS)
    if has_cause(error, NoSuchName):
        return Permanent("no_such_domain", "The domain does not exist, or leads nowhere.")
    return None


def _explain_connecting(error: BaseException) -> ExtractError | None:
    if isinstance(error, TimeoutError):
        return timed_out()
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Permanent("tls_certificate", "The site's certificate is not valid.")
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return Transient("tls_failed", "No secure connection to the site could be made.")
    if isinstance(error, OSError) and error.errno in _OWN_LIMITS:
        return Transient("out_of_resources", "This machine cannot open more connections now.")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return dns_failed()
    if isinstance(error, aiohttp.ClientConnectorError):
        return Transient("connect_failed", "The site could not be reached.")
    return None


def _explain_answer(error: BaseException) -> ExtractError:
    if has_cause(error, ContentEncodingError):
        return Permanent("bad_encoding", "The site sends its pages in a coding that cannot be read.")
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.InvalidURL):
        return Permanent("bad_response", "The site does not answer as a web site does.")
    if isinstance(error, aiohttp.ClientError | OSError):
        return Transient("connection_lost", "The site closed the connection before its answer was whole.")
    return Permanent("bad_response", "The site does not answer as a web site does.")


def has_cause(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether the error, what it came from, or the operating system's error inside it, is of a kind."""
    seen: list[BaseException | None] = [error]
    for _ in range(8):
        current = seen[-1]
        if current is None:
            return False
        if isinstance(current, kind) and not (kind is OSError and isinstance(current, aiohttp.ClientError)):
            return True
        inner = getattr(current, "os_error", None) or current.__cause__ or current.__context__
        seen.append(inner if inner is not current else None)
    return False
