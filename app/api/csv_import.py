"""Reading a pasted list or a spreadsheet's CSV: the column is found, every line keeps its number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from app.api.errors import ApiError
from app.api.schemas import MAX_BATCH_DOMAINS
from app.api.submitting import Line

#: The header names of a column with domains, best first.
COLUMN_NAMES = ("domain", "domains", "url", "urls", "website", "web site", "homepage", "site", "host", "base_url")
MAX_FIELD_CHARACTERS = 131_072


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The lines of one column; ``column`` is its header, None where the file has none."""

    lines: list[Line]
    column: str | None


def read_table(data: bytes | str, *, most: int = MAX_BATCH_DOMAINS) -> Table:
    """The domains of a CSV (comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252) or of a list with one a line.

    Blank lines are passed over. Line numbers are those of an editor, from 1.

    Raises:
        ApiError: 422, the file is no text, has nothing in it, or has more than ``most`` lines.
    """
    text = decode(data) if isinstance(data, bytes) else data.removeprefix("\ufeff")
    rows = _rows(text)
    first = next(rows, None)
    if first is None:
        raise ApiError(422, "empty_file", "There is nothing in it; put one domain on each line.")
    column = _column(first[1])
    lines = [] if column is not None else [Line(number=first[0], text=first[1][0])]
    index = column or 0
    for number, cells in rows:
        if len(lines) >= most:
            message = f"A batch has at most {most:,} lines; split the file."
            raise ApiError(422, "too_many_lines", message)
        lines.append(Line(number=number, text=cells[index] if index < len(cells) else ""))
    return Table(lines=lines, column=first[1][index].strip()[:100] if column is not None else None)


def decode(data: bytes) -> str:
    """Text as spreadsheets save it.

    Raises:
        ApiError: 422, it is no text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\0" in data[:4096]:
        raise ApiError(422, "not_text", "The file is no text; save the sheet as CSV and try again.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every line that is not blank."""
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), skipinitialspace=True)
    before = 0
    try:
        for cells in reader:
            number, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        message = f"Line {reader.line_num} cannot be read as CSV: look for a quote that is not closed."
        raise ApiError(422, "bad_csv", message) from error


def _delimiter(text: str) -> str:
    """The one that the first line with any has most of; a domain has none of them."""
    for line in text.splitlines()[:20]:
        counts = {mark: line.count(mark) for mark in (",", ";", "\t")}
        if any(counts.values()):
            return max(counts, key=lambda mark: counts[mark])
    return ","


def _column(cells: list[str]) -> int | None:
    """Which cell of the first line names a column of domains."""
    names = [cell.strip().strip("\"'").lower() for cell in cells]
    return next((names.index(name) for name in COLUMN_NAMES if name in names), None)
