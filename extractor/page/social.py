"""Profiles in social networks: one for each network, never a button for sharing, a post or an embedded player.

The kept spelling: https, the host as the site writes it (hosts for a language or for phones become the network's main
one), no query, no trailing slash. twitter.com and x.com are one network, ``x``; both addresses lead to the profile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from extractor.models import Found
from extractor.page.document import Document, registrable
from extractor.page.links import link_places
from extractor.page.networks import NETWORKS, Network
from extractor.page.structured import Node, texts_of

_BY_HOST: Final = {host: network for network in NETWORKS for host in network.hosts}
_VALUES_ON_PLACES: Final = {"header": 1, "footer": 1, "nav": 1, "main": 2}
#: Profiles of those who made the site's tools, linked from thousands of footers.
_MAKERS: Final = frozenset(
    [
        "facebook.com/wordpress",
        "x.com/wordpress",
        "facebook.com/wix",
        "x.com/wix",
        "instagram.com/wix",
        "facebook.com/squarespace",
        "x.com/squarespace",
        "facebook.com/shopify",
        "x.com/shopify",
        "facebook.com/jimdo",
        "x.com/jimdo",
        "youtube.com/user/wix",
        "x.com/twitter",
        "facebook.com/facebook",
        "instagram.com/instagram",
        "facebook.com/webflow",
        "x.com/webflow",
        "facebook.com/godaddy",
        "x.com/godaddy",
    ]
)


def read_social_links(document: Document, nodes: list[Node]) -> dict[str, list[Found]]:
    """The profiles of the page by network, the most trusted first."""
    found: dict[str, dict[str, Found]] = {}
    for url, how, rank in _candidates(document, nodes):
        profile = profile_of(url)
        if profile is None:
            continue
        network, address = profile
        known = found.setdefault(network, {})
        if (address not in known or known[address].rank > rank) and len(known) < 20:
            known[address] = Found.model_construct(value=address, how=how, rank=rank)
    return {network: sorted(values.values(), key=lambda value: value.rank) for network, values in sorted(found.items())}


def _candidates(document: Document, nodes: list[Node]) -> Iterator[tuple[str, str, int]]:
    for node in nodes:
        for url in texts_of(node.get("sameAs"))[:40]:
            yield url, "structured data sameAs", 0 if _speaks_for_site(node) else 3
    for relations, attributes in document.link_elements:
        if relations & {"me", "publisher"}:
            yield attributes.get("href") or "", "link rel=me", 1
    places = link_places(document)
    for anchor in document.anchors:
        href = anchor.href
        if href.startswith(("http", "//", "HTTP")) or "." in href[:20]:
            place = places.get(anchor.node.mem_id, "main")
            yield href, f"link in the {place}", _VALUES_ON_PLACES.get(place, 2) + 1
    for key in ("article:publisher", "og:see_also", "profile:username"):
        for content in document.meta.get(key, ()):
            yield content, f"meta {key}", 2
    handle = document.meta_line("twitter:site")
    if handle and re.fullmatch(r"@?[A-Za-z0-9_]{2,30}", handle):
        yield f"https://twitter.com/{handle.lstrip('@')}", "meta twitter:site", 5


def _speaks_for_site(node: Node) -> bool:
    return "Person" not in node.get("@type", [])


def profile_of(url: str) -> tuple[str, str] | None:
    """(network, kept address) for the address of a profile; None for everything else, however alike."""
    url = url.strip().replace("\\", "/")
    if url.startswith("//"):
        url = "https:" + url
    elif "://" not in url[:12]:
        url = "https://" + url
    try:
        parts = urlsplit(url[:600])
        host = (parts.hostname or "").lower().rstrip(".")
    except ValueError:
        return None
    network = _network_of(host)
    if network is None:
        return None
    path = re.sub(r"/{2,}", "/", parts.path).replace("/#!/", "/")
    fragment = unquote(parts.fragment)
    if path in ("", "/") and fragment.startswith("!/"):
        path, _, _ = fragment[1:].partition("?")
    if network.key == "youtube" and path == "/subscription_center":
        path = "/user/" + dict(parse_qsl(parts.query)).get("add_user", "")
    return _profile(network, host, path, parts.query)


def _network_of(host: str) -> Network | None:
    network = _BY_HOST.get(host) or _BY_HOST.get(host.removeprefix("www."))
    if network is None:
        network = _BY_HOST.get(registrable(host)) if host.count(".") >= 2 else None
        if network and network.key == "whatsapp":
            return network
        if network and not network.prefix_host and not _is_variant(host):
            return None
    return network


_OTHER_HOSTS: Final = frozenset(
    [
        "developers",
        "developer",
        "api",
        "help",
        "support",
        "blog",
        "about",
        "business",
        "ads",
        "l",
        "lm",
        "login",
        "accounts",
        "docs",
        "gist",
        "raw",
        "pages",
        "status",
        "careers",
        "tr",
        "studio",
        "music",
        "tv",
        "graph",
        "connect",
        "platform",
        "widgets",
        "syndication",
        "static",
        "cdn",
        "img",
        "badge",
        "touch.pics",
        "player",
        "i",
        "assets",
        "dev",
        "pay",
    ]
)


def _is_variant(host: str) -> bool:
    """A host of the network for a language or a kind of device: de-de.facebook.com, m.youtube.com, uk.linkedin.com."""
    prefix = host.partition(".")[0]
    return (
        host.count(".") > 1
        and prefix not in _OTHER_HOSTS
        and (bool(re.fullmatch(r"[a-z]{2}(?:-[a-z]{2})?|m|mobile|web|touch|www2?|open|api", prefix)))
    )


def _profile(network: Network, host: str, path: str, query: str) -> tuple[str, str] | None:
    prefix = host.partition(".")[0]
    if network.prefix_host and host.removeprefix("www.") not in network.hosts and path in ("", "/"):
        return None if prefix in _OTHER_HOSTS or prefix == "www" else (network.key, f"https://{host}")
    if network.key == "whatsapp":
        return _whatsapp(host, path, query)
    found = network.profile.match(path)
    if not found or path[found.end() : found.end() + 1] not in ("", "/"):
        return None
    kept = found[0].rstrip("/")
    first = kept.lstrip("/").partition("/")[0]
    if (first in network.refused or first.lower() in network.refused) and not _is_deep(network, kept):
        return None
    rest = path[found.end() :].strip("/")
    if not _may_follow(network, rest):
        return None
    return _kept(network, host, kept, query)


def _is_deep(network: Network, kept: str) -> bool:
    """Paths such as /channel/NAME begin with a word that alone is no profile."""
    return kept.count("/") >= 2 and network.key in (
        "facebook",
        "youtube",
        "vimeo",
        "ok",
        "tumblr",
        "kununu",
        "linkedin",
        "flickr",
    )


#: What may stand behind a profile's own path: its own pages. A post, a video or a repository is no profile.
_PAGES_OF_PROFILE: Final = re.compile(
    r"(?:about|home|videos|featured|timeline|reels|posts|boards|_created|_saved|info|photos|mentions|followers|following|hl-[a-z]{2}|[a-z]{2}|streams|playlists|shorts|life|jobs|people|likes|pins|collections|sets|albums)?/?",
    re.IGNORECASE,
)


def _may_follow(network: Network, rest: str) -> bool:
    if network.key in ("tripadvisor", "yelp", "discord", "spotify", "houzz", "facebook") and not rest.startswith(
        ("posts/", "photos/", "videos/")
    ):
        return not rest or network.key != "facebook" or _PAGES_OF_PROFILE.fullmatch(rest) is not None or rest.isdigit()
    return _PAGES_OF_PROFILE.fullmatch(rest) is not None


def _kept(network: Network, host: str, path: str, query: str) -> tuple[str, str] | None:
    if network.key == "facebook" and path == "/profile.php":
        identity = dict(parse_qsl(query)).get("id", "")
        return ("facebook", f"https://www.facebook.com/profile.php?id={identity}") if identity.isdigit() else None
    if network.key == "facebook" and path.endswith(".php"):
        return None
    if network.key == "facebook" and path.startswith("/pg/"):
        path = path[3:]
    if network.key == "x":
        path = path.replace("/@", "/")
    if network.key == "medium" and host not in network.hosts and not host.startswith("www."):
        network_host = host
    else:
        network_host = host if not _is_variant(host) or host.startswith("www.") else network.host or host
    address = f"https://{network_host}{path}"
    plain = address.removeprefix("https://").removeprefix("www.").lower()
    return None if plain in _MAKERS or "{" in unquote(path) or "%7b" in path.lower() else (network.key, address)


def _whatsapp(host: str, path: str, query: str) -> tuple[str, str] | None:
    if (
        host.removeprefix("www.") in ("api.whatsapp.com", "web.whatsapp.com", "whatsapp.com")
        and path.rstrip("/") == "/send"
    ):
        digits = re.sub(r"\D", "", dict(parse_qsl(query)).get("phone", ""))
        return ("whatsapp", f"https://wa.me/{digits}") if 8 <= len(digits) <= 15 else None
    found = re.fullmatch(r"/(message/[A-Za-z0-9]{4,40}|channel/[A-Za-z0-9]{4,60}|\+?\d{8,15})/?", path)
    if not found:
        return None
    return "whatsapp", f"https://{'www.whatsapp.com' if 'channel' in found[1] else 'wa.me'}/{found[1].lstrip('+')}"
