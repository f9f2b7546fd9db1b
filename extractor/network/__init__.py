"""The one gate for every connection: which addresses may be reached, checked at the socket itself."""

from extractor.network.hosts import HostsFile
from extractor.network.policy import AddressPolicy, RefusedAddress
from extractor.network.resolver import Endpoint, GatedResolver, NameLookup, NoSuchName, SystemLookup

__all__ = [
    "AddressPolicy",
    "Endpoint",
    "GatedResolver",
    "HostsFile",
    "NameLookup",
    "NoSuchName",
    "RefusedAddress",
    "SystemLookup",
]
