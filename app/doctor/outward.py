"""Checks of the way out and of the extractor: DNS, a connection to the world, and a page read as a site's would be."""

from __future__ import annotations

import asyncio
import socket

from app.doctor.models import Check, broken, sound, warning
from app.doctor.patient import Patient
from extractor.sandbox import PageLost, PagePool, SandboxUnavailable

DNS_SECONDS = 1.0
CONNECT_SECONDS = 1.5

PAGE = b"""<!doctype html>
<html lang="en">
<head>
<title>Example &amp; Sons</title>
<meta name="description" content="We mend clocks.">
<meta name="generator" content="WordPress 6.5.2">
</head>
<body><a href="mailto:hello@clocks.example">Write to us</a> or call <a href="tel:+442079460958">020 7946 0958</a></body>
</html>
"""


async def check_dns(patient: Patient) -> Check:
    """A public name is resolved; without it no site can be scanned, and the queue still works."""
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(
            loop.getaddrinfo(patient.public_name, patient.public_port, type=socket.SOCK_STREAM), DNS_SECONDS
        )
    except (OSError, TimeoutError) as error:
        reason = "no answer" if isinstance(error, TimeoutError) else str(error)
        return warning(
            f"offline: {patient.public_name} could not be resolved within {DNS_SECONDS:g} s ({reason})",
            "scans of public sites will be retried and then fail: look at /etc/resolv.conf and the firewall",
        )
    addresses = sorted({str(info[4][0]) for info in found})
    return sound(
        f"{patient.public_name} is {addresses[0]}" + (f" and {len(addresses) - 1} more" if addresses[1:] else "")
    )


async def check_outward(patient: Patient) -> Check:
    """A connection to a public site's port can be made; nothing is asked of it."""
    where = f"{patient.public_name}:{patient.public_port}"
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(patient.public_name, patient.public_port), CONNECT_SECONDS
        )
    except (OSError, TimeoutError) as error:
        reason = "no answer" if isinstance(error, TimeoutError) else str(error)
        return warning(
            f"offline: no connection to {where} within {CONNECT_SECONDS:g} s ({reason})",
            "scans of public sites will fail: open outgoing ports 80 and 443 for the workers",
        )
    writer.close()
    return sound(f"connected to {where}")


async def check_extractor(patient: Patient) -> Check:
    """A built-in page, read in a child process as every page is, gives its title, address, number and version."""
    try:
        facts, seconds = await _read_page()
    except (PageLost, SandboxUnavailable) as error:
        return broken(
            f"no process could read a page: {error}",
            "look at what it printed above, and at the limits of memory, processes and open files (ulimit -a)",
        )
    wrong = [f"{name} is {value!r}" for name, value, expected in facts if value != expected]
    if wrong:
        return broken("; ".join(wrong), "the extractor or one of its libraries is damaged: install the locked versions")
    return sound(
        f"title, description, email address, phone number and WordPress version read in {seconds * 1000:.0f} ms"
    )


async def _read_page() -> tuple[list[tuple[str, object, object]], float]:
    import time

    from extractor.report import build_report

    url = "https://clocks.example/"
    started = time.perf_counter()
    async with PagePool(1) as pool:
        report = build_report("clocks.example", 1, [await pool.read_page(PAGE, url=url, status=200)])
    seconds = time.perf_counter() - started
    return [
        ("title", report.title, "Example & Sons"),
        ("description", report.description, "We mend clocks."),
        ("email_addresses", report.email_addresses, ["hello@clocks.example"]),
        ("phone_numbers", report.phone_numbers, ["+442079460958"]),
        ("wordpress_version", report.wordpress_version, "6.5.2"),
    ], seconds
