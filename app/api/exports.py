"""Everything a tenant has, or a part of it, as a file that is written while it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal
from uuid import UUID

from app.api.domains import CHOSEN, Filter
from app.database import Database

CHUNK_ROWS = 2_000

CSV_HEADER = (
    "domain,status,title,description,language,email_addresses,phone_numbers,physical_addresses,facebook,x,linkedin,"
    "instagram,youtube,is_wordpress,wordpress_version,technologies,final_url,error_code,last_error,created_at,"
    "completed_at,id\r\n"
)

# Rows leave Postgres as finished lines: formatting a million of them here would cost more than reading them.
# A chunk is a statement of its own, so that no snapshot grows old while somebody downloads slowly.
# The empty object that is added to a document has it unpacked once, instead of once for each key that is read from it.
EXPORT_CHUNK = (
    """
    WITH chunk AS (
        SELECT d.*, d.domain_metadata || '{}' AS document
        FROM domains AS d
"""  # noqa: S608 - constants, joined once
    + CHOSEN
    + """
          AND d.seq > %(seq)s
        ORDER BY d.seq
        LIMIT %(limit)s
    )
"""
)

# A cell is quoted, and has an apostrophe before what a spreadsheet takes for the beginning of a formula: = + - @ and
# their full-width forms, even after blanks. Most texts begin with a letter, which is seen without looking for blanks.
CELL = r"""
    '"',
    CASE
        WHEN ascii({0}) BETWEEN 65 AND 159 THEN NULL
        WHEN ascii(ltrim({0}, E' \r\n\t\f\v\u00a0\u3000')) IN (43, 45, 61, 64, 65291, 65293, 65309, 65312) THEN ''''
    END,
    replace({0}, '"', '""'),
    '"'
"""
PLAIN_CELL = """ '"', {0}, '"' """
#: What makes each column, in the order of the header; the columns that no site and no person writes need no guard.
CELLS = (
    CELL.format("domain"),
    PLAIN_CELL.format("status"),
    *(CELL.format(name) for name in ("title", "description", "language", "emails", "phones", "addresses")),
    *(CELL.format(name) for name in ("facebook", "x", "linkedin", "instagram", "youtube")),
    PLAIN_CELL.format("is_wordpress::text"),
    *(CELL.format(name) for name in ("wordpress_version", "technologies", "final_url", "error_code", "last_error")),
    """ coalesce(to_json(created_at)::text, '""') """,
    """ coalesce(to_json(completed_at)::text, '""') """,
    PLAIN_CELL.format("id"),
)
# The barrier of OFFSET 0 has each value made once, however often a cell's expression names it.
EXPORT_CSV = (
    EXPORT_CHUNK  # noqa: S608 - constants, joined once
    + """
    , line AS (
        SELECT
            c.seq, c.domain, c.status, c.title, c.description, c.language,
            array_to_string(c.email_addresses, ' ') AS emails, array_to_string(c.phone_numbers, ' ') AS phones,
            CASE WHEN jsonb_typeof(c.document -> 'physical_addresses') = 'array' THEN (
                SELECT string_agg(address, ' | ')
                FROM jsonb_array_elements_text(c.document -> 'physical_addresses') AS a (address)
            ) END AS addresses,
            c.document #>> '{social_links,facebook}' AS facebook, c.document #>> '{social_links,x}' AS x,
            c.document #>> '{social_links,linkedin}' AS linkedin,
            c.document #>> '{social_links,instagram}' AS instagram,
            c.document #>> '{social_links,youtube}' AS youtube,
            c.is_wordpress, c.wordpress_version,
            CASE WHEN jsonb_typeof(c.document -> 'technologies') = 'array' THEN (
                SELECT string_agg(concat_ws(' ', t ->> 'name', t ->> 'version'), ', ')
                FROM jsonb_array_elements(c.document -> 'technologies') AS t
            ) END AS technologies,
            c.document ->> 'final_url' AS final_url, c.error_code, c.last_error, c.created_at, c.completed_at, c.id
        FROM chunk AS c
        OFFSET 0
    )
    SELECT seq, concat("""
    + ", ',', ".join(CELLS)
    + """)
    FROM line
    ORDER BY seq
"""
)
EXPORT_JSONL = (
    EXPORT_CHUNK
    + """
    SELECT
        c.seq,
        json_build_object(
            'id', c.id, 'domain', c.domain, 'status', c.status, 'title', c.title, 'description', c.description,
            'language', c.language, 'is_wordpress', c.is_wordpress, 'wordpress_version', c.wordpress_version,
            'email_addresses', c.email_addresses, 'phone_numbers', c.phone_numbers, 'favicon_url', c.favicon_url,
            'logo_url', c.logo_url, 'error_code', c.error_code, 'last_error', c.last_error, 'batch_id', c.batch_id,
            'created_at', c.created_at, 'updated_at', c.updated_at, 'completed_at', c.completed_at,
            'domain_metadata', c.domain_metadata
        )::text
    FROM chunk AS c
    ORDER BY c.seq
"""
)


#: Line breaks and tabs within a cell become blanks, and the NUL between two lines, which no text of Postgres has in
#: it, a line break. Over a whole chunk at once this costs next to nothing.
CSV_BYTES = bytes.maketrans(b"\0\r\n\t\f\v", b"\n     ")


async def export_domains(
    database: Database, tenant_id: UUID, chosen: Filter, *, file_format: Literal["csv", "jsonl"]
) -> AsyncIterator[bytes]:
    """Every domain chosen, oldest first, in pieces of bounded size; a connection is held for one piece at a time.

    CSV begins with a byte order mark, without which spreadsheets misread UTF-8.
    """
    statement, write = (EXPORT_CSV, _csv_lines) if file_format == "csv" else (EXPORT_JSONL, _json_lines)
    if file_format == "csv":
        yield ("\ufeff" + CSV_HEADER).encode()
    seq = -1
    while True:
        params = chosen.params() | {"seq": seq, "limit": CHUNK_ROWS}
        async with database.tenant(tenant_id) as conn:
            cur = await conn.execute(statement, params)
            rows = await cur.fetchall()
        if rows:
            seq = rows[-1][0]
            yield write(rows)
        if len(rows) < CHUNK_ROWS:
            return


def _csv_lines(rows: list[tuple[Any, ...]]) -> bytes:
    text = "\0".join([line for _, line in rows]) + "\0"
    return text.encode().translate(CSV_BYTES).replace(b"\n", b"\r\n")


def _json_lines(rows: list[tuple[Any, ...]]) -> bytes:
    return ("\n".join([line for _, line in rows]) + "\n").encode()
