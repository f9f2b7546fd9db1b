"""The HTTP side: the API, the pages, and what watches rows for those who wait."""

from app.api.application import create_app

__all__ = ["create_app"]
