"""Every setting, its unit, bounds and default. Built once at the start of a command and passed on as an argument."""

from __future__ import annotations

import re
import ssl
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DEFAULT_TENANT_ID = UUID("550e8400-e29b-41d4-a716-446655440000")
DEVELOPMENT_TOKEN = "scraper_sky_2024"  # noqa: S105 - the seed's published token, refused outside development

FetchTier = Literal["none", "standard", "render", "premium", "ultra_premium"]


#: No spaces, brackets or semicolons: it stands inside the User-Agent's comment.
CONTACT = re.compile(
    r"https?://[A-Za-z0-9\-._~:/?#@!$&*+,=%\[\]]+|[A-Za-z0-9.!#$%&*+/=?^_{|}~\-]+@[A-Za-z0-9.\-]+", re.ASCII
)


class Settings(BaseSettings):
    """The environment's (or .env's) variables; names are the fields' in upper case.

    Raises:
        pydantic.ValidationError: a value is outside its bounds, or two contradict each other.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(default=None, description="Unset: the embedded Postgres.")
    listen_database_url: SecretStr | None = Field(
        default=None, description="Direct or session mode; unset: DATABASE_URL."
    )
    scrapersky_data_dir: Path | None = Field(default=None, description="Where the embedded Postgres lives.")
    environment: Literal["production", "development"] = "production"
    published_on_loopback: bool = Field(
        default=False,
        description="In a container: HOST is 0.0.0.0 there, but the port is published on 127.0.0.1 alone.",
    )

    domain_processing_interval_minutes: float = Field(default=1, gt=0, le=1440)
    domain_processing_batch_size: int | None = Field(default=None, ge=1, le=10_000)
    worker_concurrency: int = Field(default=100, ge=1, le=10_000)
    worker_lease_seconds: float = Field(default=30, ge=2, le=3600)
    worker_shutdown_seconds: float = Field(default=20, ge=0, le=3600)
    worker_metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Where a worker process serves its own metrics for Prometheus; 0: nowhere.",
    )
    worker_metrics_host: str = "127.0.0.1"
    max_attempts: int = Field(default=5, ge=1, le=100)

    db_min_pool_size: int = Field(default=5, ge=0, le=1000)
    db_max_pool_size: int = Field(default=10, ge=1, le=1000)

    scraper_api_key: SecretStr | None = None
    scraper_api_url: str = "https://api.scraperapi.com/"
    scraper_api_max_tier: FetchTier = "none"
    scraper_api_max_credits_per_scan: int = Field(default=0, ge=0)
    scraper_api_max_credits_per_day: int = Field(default=0, ge=0)

    fetch_timeout_seconds: float = Field(default=15, gt=0, le=300)
    fetch_max_bytes: int = Field(default=5 * 1024 * 1024, ge=1024, le=100 * 1024 * 1024)
    fetch_user_agent: str | None = Field(default=None, max_length=300)
    fetch_contact: str | None = Field(
        default=None,
        max_length=200,
        description="A web or e-mail address in the User-Agent, where a site's owner learns who reads it.",
    )
    fetch_respect_robots: bool = True
    fetch_allow_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    fetch_hosts_file: Path | None = Field(
        default=None,
        description="Names answered from this file instead of DNS; needs FETCH_ALLOW_NETWORKS to be of use.",
    )

    ssl_cert_file: Path | None = Field(
        default=None, description="Certificate authorities for the sites, in PEM, besides the system's."
    )

    fetch_scans_per_address: int = Field(
        default=10, ge=1, le=1000, description="Scans that may talk to one IP address at once, over all workers."
    )

    api_requests_per_minute: int = Field(
        default=6_000, ge=1, le=1_000_000, description="For each token, in each web process; beyond it 429."
    )
    api_max_queued_domains: int = Field(
        default=100_000, ge=1, le=100_000_000, description="Pending domains of one tenant; beyond it 429."
    )
    api_max_body_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1024, le=1024 * 1024 * 1024, description="Of one request; beyond it 413."
    )

    default_tenant_id: UUID = DEFAULT_TENANT_ID
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)

    @field_validator("fetch_allow_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator("fetch_contact")
    @classmethod
    def _is_a_contact(cls, value: str | None) -> str | None:
        if value is not None and not CONTACT.fullmatch(value):
            raise ValueError("it must be a web address (https://...) or an e-mail address")
        return value

    @field_validator("fetch_hosts_file")
    @classmethod
    def _is_a_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("there is no such file")
        return value

    @field_validator("ssl_cert_file")
    @classmethod
    def _holds_certificates(cls, value: Path | None) -> Path | None:
        # OpenSSL leaves out a file that it cannot read without a word: every site would look like an impostor.
        try:
            if value is not None:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
        except OSError as error:
            raise ValueError("there is no file with certificates (PEM) that can be read") from error
        return value

    @field_validator(
        "database_url",
        "listen_database_url",
        "scraper_api_key",
        "fetch_contact",
        "fetch_hosts_file",
        "ssl_cert_file",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _pool_bounds_agree(self) -> Self:
        if self.db_min_pool_size > self.db_max_pool_size:
            raise ValueError("DB_MIN_POOL_SIZE must not be above DB_MAX_POOL_SIZE")
        return self


def problems_of(error: ValidationError) -> str:
    """What is wrong with the variables, in one line, without the values: some of them are secrets."""
    return "; ".join(
        ": ".join([*(str(part).upper() for part in problem["loc"]), problem["msg"].removeprefix("Value error, ")])
        for problem in error.errors(include_input=False, include_url=False)
    )
