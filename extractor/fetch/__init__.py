"""Fetching one page from a hostile web: bounded in time, bytes, hops and addresses."""

from extractor.fetch.client import Fetcher, Reply
from extractor.fetch.pace import AddressSlot, Pace
from extractor.fetch.settings import FetchSettings

__all__ = ["AddressSlot", "FetchSettings", "Fetcher", "Pace", "Reply"]
