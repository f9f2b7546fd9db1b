"""Every setting: its name in the environment, its default, its bounds."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of this process and no .env of the checkout is read."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_any_variable_it_is_production_on_loopback_with_an_embedded_database() -> None:
    settings = Settings()

    assert settings.environment == "production"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.database_url is None
    assert settings.fetch_allow_networks == ()
    assert (settings.scraper_api_max_tier, settings.scraper_api_max_credits_per_day) == ("none", 0)
    assert settings.fetch_respect_robots


def test_variables_win_over_the_file_and_the_file_over_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("WORKER_CONCURRENCY=7\nMAX_ATTEMPTS=3\nSOMEBODY_ELSES=1\n")
    monkeypatch.setenv("MAX_ATTEMPTS", "9")

    settings = Settings()

    assert (settings.worker_concurrency, settings.max_attempts) == (7, 9)


def test_networks_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETCH_ALLOW_NETWORKS", "127.0.0.0/8, fd00::/8,")

    assert Settings().fetch_allow_networks == (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize("name", ["DATABASE_URL", "LISTEN_DATABASE_URL", "SCRAPER_API_KEY"])
def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")

    assert getattr(Settings(), name.lower()) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "staging"),
        ("WORKER_CONCURRENCY", "0"),
        ("WORKER_LEASE_SECONDS", "1"),
        ("DOMAIN_PROCESSING_INTERVAL_MINUTES", "0"),
        ("MAX_ATTEMPTS", "0"),
        ("DB_MIN_POOL_SIZE", "11"),
        ("FETCH_ALLOW_NETWORKS", "everything"),
        ("PORT", "65536"),
        ("LOG_FORMAT", "xml"),
        ("FETCH_CONTACT", "ann"),
        ("FETCH_CONTACT", "ann@acme.example; other"),
        ("FETCH_HOSTS_FILE", "no-such-file"),
        ("SSL_CERT_FILE", "no-such-file"),
        ("SSL_CERT_FILE", "/dev/null"),
    ],
)
def test_a_value_outside_its_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError):
        Settings()


def test_printing_the_settings_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:hunter2@db/shop")
    monkeypatch.setenv("SCRAPER_API_KEY", "hunter2")

    assert "hunter2" not in f"{Settings()} {Settings()!r}"
