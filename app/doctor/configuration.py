"""Checks of what was configured: variables, connection strings, the paid fetching service."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from app.doctor.models import Check, broken, sound, warning
from app.doctor.patient import Patient
from app.dsn import InvalidDsn, parse_dsn
from app.fetching import user_agent
from app.settings import Settings, problems_of

#: Variables that begin so are meant for this program.
OWN_PREFIXES = ("SCRAPERSKY_", "SCRAPER_API_", "DOMAIN_PROCESSING_", "FETCH_", "API_MAX_", "API_REQUESTS_")
#: Read by the tests, not by the program.
TEST_PREFIX = "SCRAPERSKY_TEST_"
MIN_LIKENESS = 0.86
MIN_LOOKALIKE_LENGTH = 6


async def check_settings(patient: Patient) -> Check:
    """Every variable has a value it can have, none is misspelled, and none contradicts another."""
    if patient.settings is None:
        return _why_refused()
    lookalikes = list(find_lookalikes(patient.environ))
    unset = [pair for pair in lookalikes if pair[1] and pair[1] not in patient.environ]
    if unset:
        return broken(_spelled(unset), "correct the spelling, or remove the variable")
    if contradictions := list(find_contradictions(patient.settings)):
        seen, advice = contradictions[0]
        return broken(seen, advice)
    if lookalikes:
        return warning(_spelled(lookalikes), "the program does not read them: correct the spelling, or remove them")
    given = sum(name in patient.environ for name in _known_names())
    return sound(f"{given} variables set, the rest have their defaults")


def _why_refused() -> Check:
    try:
        Settings()
    except ValidationError as error:
        return broken(problems_of(error), "correct the variable, in the environment or in .env")
    return broken("the settings could not be read", "look at the environment and .env")


#: Other programs read these too, and have names of their own that are like them (NIX_SSL_CERT_FILE, SSL_CERT_DIR).
SHARED_NAMES = {"SSL_CERT_FILE"}


def _known_names() -> set[str]:
    return {name.upper() for name in Settings.model_fields}


def find_lookalikes(environ: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Variables that are not read, with the name that was probably meant."""
    known = _known_names()
    for name in sorted(environ):
        upper = name.upper()
        if upper in known or upper.startswith(TEST_PREFIX):
            continue
        close = difflib.get_close_matches(upper, known - SHARED_NAMES, n=1, cutoff=MIN_LIKENESS)
        if close and len(upper) >= MIN_LOOKALIKE_LENGTH:
            yield name, close[0]
        elif upper.startswith(OWN_PREFIXES):
            yield name, None


def _spelled(lookalikes: list[tuple[str, str | None]]) -> str:
    return "; ".join(f"{name} is not a setting" + (f", {meant} is" if meant else "") for name, meant in lookalikes)


def find_contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    """Pairs of settings that cannot both be meant: what was seen, and what to do."""
    if settings.environment == "development" and not settings.published_on_loopback and not _is_loopback(settings.host):
        yield (
            f"ENVIRONMENT=development with HOST={settings.host}: whoever reaches the port acts as the default tenant",
            "set HOST=127.0.0.1, or ENVIRONMENT=production and make a token with: scrapersky token create NAME",
        )
    if settings.listen_database_url is not None and settings.database_url is None:
        yield (
            "LISTEN_DATABASE_URL is set and DATABASE_URL is not: the queue would be in the embedded Postgres",
            "set DATABASE_URL too",
        )
    if settings.fetch_hosts_file is not None and not settings.fetch_allow_networks:
        yield (
            "FETCH_HOSTS_FILE is set and FETCH_ALLOW_NETWORKS is not: the addresses in the file may not be reached",
            "set FETCH_ALLOW_NETWORKS to their networks, or remove FETCH_HOSTS_FILE",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


async def check_user_agent(patient: Patient) -> Check:
    """Sites can learn from the User-Agent whom to write to: that is what keeps a polite reader from being blocked."""
    name = user_agent(patient.known_settings)
    if "@" in name or "://" in name:
        return sound(name)
    return warning(
        f"{name}: the owners of sites are not told whom to write to",
        "set FETCH_CONTACT to a page about your use of this program, or to an e-mail address",
    )


async def check_dsn(patient: Patient) -> Check:
    """The connection strings can be read; what was dropped or understood of them is said."""
    settings = patient.known_settings
    if settings.database_url is None:
        seen = f"DATABASE_URL is not set, and the embedded Postgres: {patient.no_database or 'was not started'}"
        return broken(seen, "set DATABASE_URL, or start everything with: scrapersky up")
    for name, secret in (
        ("DATABASE_URL", settings.database_url),
        ("LISTEN_DATABASE_URL", settings.listen_database_url),
    ):
        if secret is None:
            continue
        try:
            dsn = parse_dsn(secret.get_secret_value())
        except InvalidDsn as error:
            return broken(f"{name}: {error}", "correct it; a password with special characters may stay as it is")
        if name == "DATABASE_URL":
            patient.dsn = dsn
        else:
            patient.listen_dsn = dsn
    assert patient.dsn is not None, "DATABASE_URL was read"  # noqa: S101 - an invariant, not input
    notes = list(patient.dsn.notes) + [
        f"LISTEN_DATABASE_URL: {note}" for note in getattr(patient.listen_dsn, "notes", ())
    ]
    seen = "; ".join([str(patient.dsn), *notes])
    if patient.dsn.is_transaction_pooler and patient.listen_dsn is None:
        return warning(seen, "set LISTEN_DATABASE_URL to a direct or session-mode connection, or the workers only poll")
    return sound(seen)


async def check_ladder(patient: Patient) -> Check:
    """The paid fetching service is off, or has all of key, tier and budget; the key is never shown."""
    settings = patient.known_settings
    has_key = settings.scraper_api_key is not None
    has_tier = settings.scraper_api_max_tier != "none"
    has_budget = settings.scraper_api_max_credits_per_scan > 0 and settings.scraper_api_max_credits_per_day > 0
    if not has_key and not has_tier:
        return sound("direct fetches only; no paid fetching service is configured")
    if has_key and has_tier and has_budget:
        return sound(
            f"key set, up to the tier {settings.scraper_api_max_tier}, "
            f"{settings.scraper_api_max_credits_per_scan} credits a scan, "
            f"{settings.scraper_api_max_credits_per_day} a day"
        )
    missing = [
        name
        for name, there in (
            ("SCRAPER_API_KEY", has_key),
            ("SCRAPER_API_MAX_TIER", has_tier),
            ("SCRAPER_API_MAX_CREDITS_PER_SCAN and _PER_DAY", has_budget),
        )
        if not there
    ]
    return broken(
        f"the paid fetching service is half configured and stays off: {', '.join(missing)} not set",
        f"set {', '.join(missing)}, or remove the other SCRAPER_API_ variables",
    )
