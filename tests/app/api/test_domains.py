"""Lists, imports, exports and changes over HTTP."""

from __future__ import annotations

import csv
import io
import json
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from app.api.csv_import import read_table
from app.api.domains import Filter
from app.api.exports import EXPORT_CSV, EXPORT_JSONL
from app.settings import DEFAULT_TENANT_ID
from tests.support.web import DOMAINS, METADATA, SCANS, WebServer, drain

Connection = psycopg.AsyncConnection[tuple[object, ...]]

INSERT = """
    INSERT INTO domains (tenant_id, domain, status, title, domain_metadata, completed_at)
    SELECT %(tenant_id)s, %(prefix)s || number || '.com', 'completed', %(title)s || number, %(metadata)s,
           now() - make_interval(mins => number)
    FROM generate_series(1, %(count)s) AS number
"""


async def add(
    conn: Connection, count: int, *, prefix: str = "site-", title: str = "Title ", metadata: Any = None
) -> None:
    await conn.execute(
        INSERT,
        {
            "tenant_id": DEFAULT_TENANT_ID,
            "prefix": prefix,
            "title": title,
            "count": count,
            "metadata": Jsonb(metadata or METADATA),
        },
    )


async def listed(web: WebServer, **query: Any) -> list[str]:
    """Every domain of a list, page after page of four."""
    names: list[str] = []
    cursor = None
    while True:
        reply = await web.client.get(DOMAINS, params={"limit": 4, **query, **({"cursor": cursor} if cursor else {})})
        assert reply.status_code == 200, reply.text
        names += [row["domain"] for row in reply.json()["domains"]]
        cursor = reply.json()["next_cursor"]
        if cursor is None:
            return names


@pytest.mark.parametrize("sort", ["newest", "oldest", "domain", "-domain", "completed_at", "-completed_at"])
async def test_every_order_pages_through_all_rows_once(web: WebServer, conn: Connection, sort: str) -> None:
    await add(conn, 10)

    names = await listed(web, sort=sort)

    by_number = [f"site-{number}.com" for number in range(1, 11)]
    expected = {
        "newest": by_number[::-1],
        "oldest": by_number,
        "domain": sorted(by_number),
        "-domain": sorted(by_number)[::-1],
        "completed_at": by_number[::-1],
        "-completed_at": by_number,
    }
    assert names == expected[sort]


async def test_a_list_can_be_searched_in_names_and_titles_and_wildcards_are_plain_text(
    web: WebServer, conn: Connection
) -> None:
    await add(conn, 3, prefix="alpha-", title="One 100% ")
    await add(conn, 3, prefix="beta-", title="Two ")

    assert set(await listed(web, q="ALPHA")) == {"alpha-1.com", "alpha-2.com", "alpha-3.com"}
    assert set(await listed(web, q="two")) == {"beta-1.com", "beta-2.com", "beta-3.com"}
    assert len(await listed(web, q="100%")) == 3
    assert await listed(web, q="%") == await listed(web, q="100%")
    assert await listed(web, q="_") == []
    assert len(await listed(web, status="completed")) == 6
    assert await listed(web, status="error") == []


async def test_a_cursor_of_another_order_or_of_nobody_is_refused(web: WebServer, conn: Connection) -> None:
    await add(conn, 3)
    cursor = (await web.client.get(DOMAINS, params={"limit": 1})).json()["next_cursor"]

    for given, sort in ((cursor, "domain"), ("e30", "newest"), ("%%%", "newest"), ("W10", "newest")):
        reply = await web.client.get(DOMAINS, params={"cursor": given, "sort": sort})
        assert (reply.status_code, reply.json()["error"]["code"]) == (422, "invalid_cursor"), given


async def test_one_domain_has_its_whole_result_document(web: WebServer, conn: Connection) -> None:
    await add(conn, 1)
    [row] = (await web.client.get(DOMAINS)).json()["domains"]

    detail = (await web.client.get(f"{DOMAINS}/{row['id']}")).json()

    assert detail["domain_metadata"] == METADATA
    assert detail["errors"] == []


async def test_a_csv_is_imported_by_its_header_wherever_the_column_stands(web: WebServer) -> None:
    text = "Company;Website;City\r\nAcme;https://www.acme-tools.com/;Berlin\r\n\r\nNone;;x\r\nTwo;acme-tools.com;y\r\n"

    reply = await web.client.post(
        f"{DOMAINS}/import", files={"file": ("list.csv", text.encode("utf-8-sig"), "text/csv")}
    )

    accepted = reply.json()
    assert reply.status_code == 202, reply.text
    assert accepted["column"] == "Website"
    assert accepted["job_count"] == 1
    assert accepted["duplicates"] == 1
    assert [(line["line"], line["code"]) for line in accepted["rejected"]] == [(4, "empty")]


async def test_a_plain_list_is_imported_as_the_body_itself(web: WebServer) -> None:
    reply = await web.client.post(
        f"{DOMAINS}/import?max_pages=2", content="a.com\nb.com\n", headers={"Content-Type": "text/plain"}
    )

    assert reply.status_code == 202
    assert (reply.json()["job_count"], reply.json()["column"]) == (2, None)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", "text/csv", 422, "empty_file"),
        (b"PK\x03\x04\0\0", "text/csv", 422, "not_text"),
        (b'domain\n"a.com', "text/csv", 202, ""),
        (b"{}", "application/json", 400, "malformed"),
        (b"a.com\n" * 10_002, "text/plain", 422, "too_many_lines"),
    ],
)
async def test_what_is_no_list_is_refused_in_words(
    web: WebServer, body: bytes, content_type: str, status: int, code: str
) -> None:
    reply = await web.client.post(f"{DOMAINS}/import", content=body, headers={"Content-Type": content_type})

    assert reply.status_code == status, reply.text
    assert not code or reply.json()["error"]["code"] == code


def test_lines_keep_the_numbers_that_an_editor_shows_even_after_a_cell_with_a_line_break() -> None:
    table = read_table('name,domain\n"two\nlines",a.com\n\nb,b.com\n')

    assert [(line.number, line.text) for line in table.lines] == [(2, "a.com"), (5, "b.com")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_is_read_in_the_encodings_that_spreadsheets_save(encoding: str) -> None:
    table = read_table("url\nmüller.de\n".encode(encoding))

    assert [line.text for line in table.lines] == ["müller.de"]


BLANKS = str.maketrans("\r\n\t\f\v", "     ")
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "＋1", "－1", "＠1", '"=1"', "a\nb", "a,b"]
FORMULAS += [
    "\n\t =1",
    "\f=1",
    "\v=1",
    "\u00a0=1",
    "\u3000=1",
    "''=1",
    'say "hi", they\r\n',
    "Ünïcode 茶 🙂",
    "%s {0} \\",
    "",
    " ",
]


async def test_no_cell_of_the_csv_is_a_formula_and_every_text_comes_back_as_it_was(
    web: WebServer, conn: Connection
) -> None:
    for number, text in enumerate(FORMULAS):
        metadata = METADATA | {
            "physical_addresses": [text],
            "technologies": [{"name": text, "version": None}],
            "social_links": dict.fromkeys(("facebook", "x", "linkedin", "instagram", "youtube"), text),
            "final_url": text,
        }
        await add(conn, 1, prefix=f"formula-{number}-", title=text, metadata=metadata)
    await conn.execute("""
        UPDATE domains
        SET title = left(title, -1), description = left(title, -1), language = left(title, -1),
            wordpress_version = left(title, -1), last_error = left(title, -1), error_code = left(title, -1),
            email_addresses = ARRAY[left(title, -1)], phone_numbers = '{+4930901820}', is_wordpress = true
    """)

    reply = await web.client.get(f"{DOMAINS}/export")
    rows = list(csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"), newline="")))
    lines = (await web.client.get(f"{DOMAINS}/export?format=jsonl")).text.splitlines()

    assert reply.headers["content-disposition"] == 'attachment; filename="domains.csv"'
    assert reply.content.count(b"\r\n") == reply.content.count(b"\n") == len(FORMULAS) + 1
    assert len(rows) == len(lines) == len(FORMULAS)
    for row, text, line in zip(rows, FORMULAS, lines, strict=True):
        begins_a_formula = text.strip()[:1] in tuple("=+-@＝＋－＠")
        expected = "'" * begins_a_formula + text.translate(BLANKS)
        document = json.loads(line)
        assert row == {
            "domain": document["domain"],
            "status": "completed",
            **dict.fromkeys(("title", "description", "language", "email_addresses", "physical_addresses"), expected),
            "phone_numbers": "'+4930901820",
            **dict.fromkeys(("facebook", "x", "linkedin", "instagram", "youtube", "wordpress_version"), expected),
            **dict.fromkeys(("technologies", "final_url", "error_code", "last_error"), expected),
            "is_wordpress": "true",
            "created_at": document["created_at"],
            "completed_at": document["completed_at"],
            "id": document["id"],
        }
    assert [json.loads(line)["title"] for line in lines] == FORMULAS
    assert json.loads(lines[0])["domain_metadata"]["email_addresses"] == ["info@example.com"]


@pytest.mark.parametrize("document", [None, {}, [], [1], "text", {"social_links": [], "technologies": {"name": 1}}])
async def test_a_row_with_nothing_or_nonsense_in_it_is_a_line_like_any_other(
    web: WebServer, conn: Connection, document: Any
) -> None:
    await conn.execute(
        "INSERT INTO domains (tenant_id, domain, status, domain_metadata) VALUES (%s, 'bare.com', 'pending', %s)",
        (DEFAULT_TENANT_ID, None if document is None else Jsonb(document)),
    )

    [header, line] = (await web.client.get(f"{DOMAINS}/export")).content.decode("utf-8-sig").splitlines()

    cells = line.split(",")
    assert len(cells) == len(header.split(","))
    assert cells[:2] == ['"bare.com"', '"pending"']
    assert set(cells[2:-3]) == {'""'}


async def test_a_chunk_as_csv_costs_the_database_no_more_than_twice_what_it_costs_as_json(conn: Connection) -> None:
    await add(conn, 2_000)
    await conn.execute("VACUUM ANALYZE domains")
    params = Filter().params() | {"seq": -1, "limit": 2_000}
    statements = {"csv": EXPORT_CSV, "jsonl": EXPORT_JSONL}
    seconds: dict[str, list[float]] = {name: [] for name in statements}

    for _ in range(7):
        for name, statement in statements.items():
            started = time.perf_counter()
            await (await conn.execute(statement, params)).fetchall()
            seconds[name].append(time.perf_counter() - started)

    # What the machine does besides falls on both alike, and on the least of seven hardly at all.
    assert min(seconds["csv"]) < 2 * min(seconds["jsonl"]), seconds


async def test_an_export_has_every_row_once_over_many_chunks_and_takes_the_filters_of_the_list(
    web: WebServer, conn: Connection
) -> None:
    await add(conn, 4_500)
    await add(conn, 3, prefix="other-")

    everything = (await web.client.get(f"{DOMAINS}/export?format=jsonl")).text.splitlines()
    chosen = (await web.client.get(f"{DOMAINS}/export?format=jsonl&q=other")).text.splitlines()

    assert len({json.loads(line)["id"] for line in everything}) == len(everything) == 4_503
    assert len(chosen) == 3


async def test_a_domain_can_be_told_to_be_scanned_again_by_itself(
    web: WebServer, database: str, conn: Connection
) -> None:
    job = (await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})).json()
    await drain(database)
    path = f"{DOMAINS}/{job['job_id']}"

    changed = await web.client.patch(path, json={"rescan_every": "P7D"})
    [(due_in,)] = await (await conn.execute("SELECT available_at - completed_at FROM domains")).fetchall()
    ended = await web.client.patch(path, json={"rescan_every": None})

    assert changed.json()["rescan_every"] == "P7D"
    assert due_in == timedelta(days=7)
    assert ended.json()["rescan_every"] is None
    assert (await web.client.patch(path, json={"rescan_every": 5})).status_code == 422
    assert (await web.client.patch(path, json={"status": "completed"})).status_code == 422


async def test_the_changes_of_a_domain_come_newest_first(web: WebServer, conn: Connection) -> None:
    await add(conn, 1)
    [row] = (await web.client.get(DOMAINS)).json()["domains"]
    for number in range(3):
        await conn.execute(
            "INSERT INTO domain_changes (tenant_id, domain_id, field, old_value, new_value)"
            " VALUES (%s, %s, 'title', %s, %s)",
            (DEFAULT_TENANT_ID, row["id"], Jsonb(f"T{number}"), Jsonb(f"T{number + 1}")),
        )

    first = (await web.client.get(f"{DOMAINS}/{row['id']}/changes?limit=2")).json()
    second = (await web.client.get(f"{DOMAINS}/{row['id']}/changes?cursor={first['next_cursor']}")).json()

    assert [change["new_value"] for change in first["changes"]] == ["T3", "T2"]
    assert [change["new_value"] for change in second["changes"]] == ["T1"]
    assert second["next_cursor"] is None


async def test_a_nul_in_the_search_is_refused_before_an_export_begins(web: WebServer) -> None:
    for path in (DOMAINS, f"{DOMAINS}/export"):
        assert (await web.client.get(path, params={"q": "a\0b"})).status_code == 422
