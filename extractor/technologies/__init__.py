"""Which products a page shows itself to be made with."""

from __future__ import annotations

from extractor.technologies.matching import Surface, detect

__all__ = ["Surface", "detect"]
