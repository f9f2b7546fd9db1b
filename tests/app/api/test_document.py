"""The OpenAPI document: every answer has an example, and every example is one that the server could have given."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest

from app.api import create_app
from app.api.exports import CSV_HEADER
from tests.support.web import BATCHES, DOMAINS, SCANS, WebServer, bearer, drain, serving, web_settings

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Document:
    return create_app(web_settings("postgresql://127.0.0.1/nothing")).openapi()


def answers(document: Document) -> Iterator[tuple[str, str, Document]]:
    """(which, media type, its content) of every answer that has a body."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                for media_type, body in answer.get("content", {}).items():
                    yield f"{method.upper()} {path} {status}", media_type, body


def validate(document: Document, schema: Document, instance: Any, which: str) -> None:
    rooted = {**schema, "components": document["components"]}
    try:
        jsonschema_rs.validator_for(rooted, validate_formats=True).validate(instance)
    except jsonschema_rs.ValidationError as error:
        pytest.fail(f"{which}: {error}")


def test_every_answer_has_an_example_that_its_schema_takes(document: Document) -> None:
    seen = 0
    for which, media_type, body in answers(document):
        if media_type.startswith("image/"):
            continue
        assert "example" in body, which
        assert media_type == "application/json" or which.endswith(" 200"), which
        if "schema" in body:
            validate(document, body["schema"], body["example"], which)
        seen += 1

    assert seen > 100


def test_no_example_leaves_out_a_field(document: Document) -> None:
    for which, _, body in answers(document):
        name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if name:
            assert set(body["example"]) == set(document["components"]["schemas"][name]["properties"]), which


def test_every_body_that_is_sent_has_an_example_that_its_schema_takes(document: Document) -> None:
    names = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for operations in document["paths"].values()
        for operation in operations.values()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]

    assert len(names) == 3
    for name in names:
        [example] = document["components"]["schemas"][name]["examples"]
        validate(document, {"$ref": f"#/components/schemas/{name}"}, example, name)


def test_the_examples_of_files_and_streams_are_read_as_what_they_are(document: Document) -> None:
    content = document["paths"][f"{DOMAINS}/export"]["get"]["responses"]["200"]["content"]
    text = content["text/csv"]["example"]
    [row] = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    line = json.loads(content["application/x-ndjson"]["example"])
    events = document["paths"][f"{SCANS}/status/{{job_id}}/events"]["get"]["responses"]["200"]["content"]
    fields = dict(part.split(": ", 1) for part in events["text/event-stream"]["example"].strip().splitlines())

    assert text.startswith("\ufeff" + CSV_HEADER)
    assert None not in row
    assert row["id"] == line["id"]
    assert fields["event"] == "status"
    validate(document, {"$ref": "#/components/schemas/JobStatus"}, json.loads(fields["data"]), "event")


async def test_the_server_answers_as_the_examples_say(database: str) -> None:
    async with serving(web_settings(database)) as web:
        document = (await web.client.get("/openapi.json")).json()
        job = (await web.client.post(f"{SCANS}/scan", json={"base_url": "example.com"})).json()
        waiting = (await web.client.get(job["status_url"])).json()
        await drain(database)
        unknown = uuid4()
        asked = [
            ("get", f"{SCANS}/status/{{job_id}}", job["status_url"], {}),
            ("get", f"{SCANS}/status/{{job_id}}", f"{SCANS}/status/{unknown}", {}),
            ("get", f"{SCANS}/status/{{job_id}}", f"{SCANS}/status/1", {}),
            ("get", f"{BATCHES}/batch/{{batch_id}}/status", f"{BATCHES}/batch/{unknown}/status", {}),
            ("get", f"{DOMAINS}/{{domain_id}}", f"{DOMAINS}/{unknown}", {}),
            ("get", f"{DOMAINS}/{{domain_id}}", f"{DOMAINS}/{job['job_id']}", {}),
            ("get", f"{DOMAINS}/{{domain_id}}/favicon", f"{DOMAINS}/{job['job_id']}/favicon", {}),
            ("get", DOMAINS, DOMAINS, {}),
            ("get", DOMAINS, f"{DOMAINS}?limit=501", {}),
            ("get", DOMAINS, DOMAINS, {"headers": bearer("wrong")}),
            (
                "post",
                f"{SCANS}/scan",
                f"{SCANS}/scan",
                {"content": "{", "headers": {"Content-Type": "application/json"}},
            ),
            ("post", f"{SCANS}/scan", f"{SCANS}/scan", {"json": {"base_url": "localhost"}}),
            ("post", f"{SCANS}/scan", f"{SCANS}/scan", {"json": {"base_url": "example.com"}}),
            ("post", f"{SCANS}/retry/{{job_id}}", f"{SCANS}/retry/{unknown}", {}),
            ("post", f"{SCANS}/cancel/{{job_id}}", f"{SCANS}/cancel/{job['job_id']}", {}),
            ("post", f"{BATCHES}/batch", f"{BATCHES}/batch", {"json": {"domains": ["localhost"]}}),
            ("post", f"{BATCHES}/batch", f"{BATCHES}/batch", {"json": {"domains": ["example.com"]}}),
            ("get", "/health", "/health", {}),
            ("get", "/ready", "/ready", {}),
            ("get", "/api/v3/overview", "/api/v3/overview", {}),
        ]
        for method, path, address, sent in asked:
            reply = await web.client.request(method, address, **sent)
            answer = document["paths"][path][method]["responses"][str(reply.status_code)]
            example = answer["content"]["application/json"]["example"]
            which = f"{method} {address} {reply.status_code} {reply.text}"
            assert set(reply.json()) == set(example), which
            if set(example) == {"error"}:
                assert reply.json()["error"]["code"] == example["error"]["code"], which
                assert reply.json()["error"]["message"].split(":")[0] == example["error"]["message"].split(":")[0], (
                    which
                )
    retry = document["paths"][f"{SCANS}/retry/{{job_id}}"]["post"]["responses"]["200"]["content"]
    assert set(waiting) == set(retry["application/json"]["example"])
    assert set(waiting["queue"]) == set(retry["application/json"]["example"]["queue"])


def test_the_reference_page_and_the_document_are_made_once(document: Document) -> None:
    app = create_app(web_settings("postgresql://127.0.0.1/nothing"))

    assert app.openapi() is app.openapi()
    assert app.openapi() == document


async def test_the_reference_shows_what_an_answer_looks_like(web: WebServer) -> None:
    page = (await web.client.get("/docs")).text

    assert "&#34;email_addresses&#34;: [" in page
    assert "office@example.com" in page
