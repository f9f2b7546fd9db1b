"""Where the web process may listen, and with the door open or closed."""

from __future__ import annotations

import socket

import pytest

from app.settings import Settings
from app.up import development_on_loopback
from app.web import CannotServe, address_of, check_development_host, is_loopback, open_listener


def settings_of(**given: object) -> Settings:
    """Settings that no .env of the checkout touches."""
    return Settings(_env_file=None, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "::1", "[::1]"])
def test_loopback_addresses_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "localhost.example.com", "127.0.0.1.example.com", ""])
def test_what_others_can_reach_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1"])
def test_development_is_refused_where_others_can_connect(host: str) -> None:
    with pytest.raises(CannotServe, match="ENVIRONMENT=development"):
        check_development_host(settings_of(environment="development", host=host))


def test_development_is_allowed_in_a_container_whose_port_is_published_on_loopback_alone() -> None:
    check_development_host(settings_of(environment="development", host="0.0.0.0", published_on_loopback=True))


def test_production_may_listen_anywhere() -> None:
    check_development_host(settings_of(environment="production", host="0.0.0.0"))


def test_up_means_development_on_loopback_only_and_only_if_nothing_else_was_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ENVIRONMENT", raising=False)

    assert development_on_loopback(settings_of(host="127.0.0.1")).environment == "development"
    assert development_on_loopback(settings_of(host="0.0.0.0")).environment == "production"
    assert development_on_loopback(settings_of(host="127.0.0.1", environment="production")).environment == "production"


def has_ipv6_loopback() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


NEEDS_IPV6 = pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6 loopback address")


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), pytest.param("::1", "[::1]", marks=NEEDS_IPV6)]
)
def test_a_free_port_is_taken_and_named(host: str, shown: str) -> None:
    with open_listener(settings_of(host=host, port=0)) as listener:
        address = address_of(listener)
        port = listener.getsockname()[1]

    assert address == f"http://{shown}:{port}"


def test_a_taken_port_says_how_to_choose_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotServe, match="--port"):
        open_listener(settings_of(port=taken.getsockname()[1]))


def test_an_address_of_another_machine_is_one_sentence() -> None:
    with pytest.raises(CannotServe, match=r"cannot listen on 192\.0\.2\.1"):
        open_listener(settings_of(host="192.0.2.1", port=0))
