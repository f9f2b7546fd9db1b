"""Connection strings as people have them."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from app.dsn import InvalidDsn, parse_dsn

SUPAVISOR = (
    "postgresql+asyncpg://postgres.your-project:p%40ss@aws-0-us-west-1.pooler.supabase.com:6543/postgres"
    "?raw_sql=true&no_prepare=true&statement_cache_size=0&prepared_statement_cache_size=0"
)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg"])
def test_every_scheme_in_use_is_understood(scheme: str) -> None:
    dsn = parse_dsn(f"{scheme}://ann:secret@db.example.com:5433/shop")

    assert conninfo_to_dict(dsn.conninfo) == {
        "user": "ann",
        "password": "secret",
        "host": "db.example.com",
        "port": "5433",
        "dbname": "shop",
    }
    assert dsn.prepared_statements


def test_a_supavisor_dsn_written_for_asyncpg_is_a_transaction_pooler_without_prepared_statements() -> None:
    dsn = parse_dsn(SUPAVISOR)

    assert dsn.is_transaction_pooler
    assert not dsn.prepared_statements
    assert conninfo_to_dict(dsn.conninfo)["password"] == "p@ss"
    assert "raw_sql" not in dsn.conninfo
    assert any("raw_sql is ignored" in note for note in dsn.notes)
    assert any("LISTEN cannot pass" in note for note in dsn.notes)


def test_the_session_port_of_the_same_pooler_is_an_ordinary_server() -> None:
    dsn = parse_dsn(
        SUPAVISOR.replace("6543", "5432").replace("no_prepare=true", "no_prepare=false").replace("=0", "=100")
    )

    assert not dsn.is_transaction_pooler
    assert dsn.prepared_statements


@pytest.mark.parametrize("option", ["no_prepare=true", "statement_cache_size=0", "prepared_statement_cache_size=0"])
def test_each_option_that_asks_for_no_prepared_statements_is_obeyed(option: str) -> None:
    assert not parse_dsn(f"postgresql://ann@db.example.com/shop?{option}").prepared_statements


def test_asyncpgs_ssl_option_is_libpqs_sslmode() -> None:
    assert conninfo_to_dict(parse_dsn("postgresql+asyncpg://a@h/d?ssl=require").conninfo)["sslmode"] == "require"


def test_a_password_pasted_unescaped_ends_at_the_last_at_sign() -> None:
    assert conninfo_to_dict(parse_dsn("postgresql://ann:p@ss:word@h/d").conninfo)["password"] == "p@ss:word"


@pytest.mark.parametrize("password", ["p@ss:word", "a/b", "a#b", "a?b", "a?b@c", "x://y", "50%", "a b", "ü"])
def test_a_password_pasted_as_it_is_is_understood_and_shown_nowhere(password: str) -> None:
    dsn = parse_dsn(f"postgresql+asyncpg://ann:{password}@db.example.com:5433/shop?statement_cache_size=0")

    given = conninfo_to_dict(dsn.conninfo)
    assert (given["user"], given["password"], given["host"], given["port"], given["dbname"]) == (
        "ann",
        password,
        "db.example.com",
        "5433",
        "shop",
    )
    assert not dsn.prepared_statements
    assert password not in f"{dsn} {dsn!r} {dsn.notes}"


@pytest.mark.parametrize("credentials", ["", "ann:secret@"])
def test_an_at_sign_in_an_option_is_the_options(credentials: str) -> None:
    dsn = parse_dsn(f"postgresql://{credentials}db.example.com/shop?application_name=a@b")

    assert conninfo_to_dict(dsn.conninfo)["application_name"] == "a@b"
    assert dsn.host == "db.example.com"


def test_a_conninfo_whose_password_looks_like_a_url_is_a_conninfo() -> None:
    assert conninfo_to_dict(parse_dsn("host=db password=a://b@c user=ann").conninfo)["password"] == "a://b@c"


def test_a_socket_folder_named_in_the_options_is_kept() -> None:
    dsn = parse_dsn("postgresql:///shop?host=/run/postgresql&user=ann")

    assert (dsn.host, dsn.user, dsn.dbname) == ("/run/postgresql", "ann", "shop")


def test_a_libpq_conninfo_is_taken_as_it_is() -> None:
    dsn = parse_dsn("host=/run/pg user=sky dbname=sky")

    assert (dsn.host, dsn.user, dsn.dbname) == ("/run/pg", "sky", "sky")


@pytest.mark.parametrize(
    "text", ["mysql://a@h/d", "postgresql+mysql://a@h/d", "what is this", "postgresql://a@h/d?nonsense=1"]
)
def test_what_is_no_connection_string_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidDsn) as refused:
        parse_dsn(text)

    assert text not in str(refused.value)


def test_no_way_of_printing_a_dsn_shows_its_password() -> None:
    dsn = parse_dsn("postgresql+asyncpg://ann:hunter2@db.example.com/shop?no_prepare=1")

    assert "hunter2" not in f"{dsn} {dsn!r} {dsn.notes}"
