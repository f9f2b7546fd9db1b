"""What one page says: bytes, address and headers in, facts out. No input or output, bounded on any input."""

from __future__ import annotations

from extractor.page.reading import read_page, warm_up

__all__ = ["read_page", "warm_up"]
