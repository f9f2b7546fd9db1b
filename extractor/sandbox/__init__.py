"""Reading pages where it cannot hurt: in child processes that are capped, killed when over, and replaced."""

from extractor.sandbox.pool import PagePool, PageReader, SandboxLimits

__all__ = ["PagePool", "PageReader", "SandboxLimits"]
