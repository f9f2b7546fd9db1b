"""One site read from end to end: the scan that the worker and the command line call."""

from extractor.fetch import AddressSlot, FetchSettings
from extractor.fetch.settings import LadderSettings
from extractor.site.scanner import Scanner
from extractor.site.visit import Previous, Scan

__all__ = ["AddressSlot", "FetchSettings", "LadderSettings", "Previous", "Scan", "Scanner"]
