"""The web application on this test's database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.web import WebServer, serving, web_settings


@pytest.fixture
async def web(database: str) -> AsyncIterator[WebServer]:
    """A development server: the default tenant is open."""
    async with serving(web_settings(database)) as server:
        yield server


@pytest.fixture
async def closed_web(database: str) -> AsyncIterator[WebServer]:
    """A production server: nobody comes in without a token."""
    async with serving(web_settings(database, environment="production")) as server:
        yield server
