"""Reading pages where it cannot hurt: in child processes that are capped, killed when over, and replaced."""

from extractor.sandbox.pool import PageLost, PagePool, PageReader, SandboxLimits, SandboxUnavailable

__all__ = ["PageLost", "PagePool", "PageReader", "SandboxLimits", "SandboxUnavailable"]
