"""Profiles in social networks: one for each network, never a button for sharing, a post or an embedded player.

The kept spelling: https, the host as the site writes it (hosts for a language or for phones become the network's main
one), no query, no trailing slash. twitter.com and x.com are one network, ``x``; both addresses lead to the profile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from extractor.models import Found
from extractor.page.document import Anchor, Document, host_of, registrable
from extractor.page.links import link_places
from extractor.page.networks import NETWORKS, Network
from extractor.page.structured import Node, texts_of
from extractor.words import TAG_WORDS

_BY_HOST: Final = {host: network for network in NETWORKS for host in network.hosts}
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
        "facebook.com/wordpresscom",
        "x.com/wordpressdotcom",
        "facebook.com/prestashop",
        "x.com/prestashop",
        "x.com/tapatalk",
    ]
)


#: How far a source is trusted to name the site's own profile; one that bears the site's name is trusted wherever it is.
_OWN_NAME, _FRAME, _DECLARED, _MENTIONED, _OTHERS = 1, 2, 3, 4, 5
_IN_MAIN: Final = "link in the main"
#: So many different profiles of one network in the content, none of the site's name, are a list of others.
_MANY = 4


def read_social_links(document: Document, nodes: list[Node]) -> dict[str, list[Found]]:
    """The profiles of the page by network, the most trusted first."""
    found: dict[str, dict[str, Found]] = {}
    for url, how, trust in _candidates(document, nodes):
        profile = profile_of(url)
        if profile is None:
            continue
        network, address = profile
        has_own_name = _has_name_of(document, address)
        if _plain(address) in _MAKERS and not (has_own_name and document.host == document.site):
            continue
        rank = _OWN_NAME if has_own_name and trust else trust
        known = found.setdefault(network, {})
        if (address not in known or known[address].rank > rank) and len(known) < 40:
            known[address] = Found.model_construct(value=address, how=how, rank=rank)
    labels = _site_labels(document.host, document.site)
    kept = {network: _without_lists(values, labels) for network, values in sorted(found.items())}
    return {network: values for network, values in kept.items() if values}


def _without_lists(values: dict[str, Found], labels: tuple[str, ...]) -> list[Found]:
    def order(value: Found) -> tuple[int, bool, bool]:
        return value.rank, value.how == _IN_MAIN, _name_in(value.value) not in labels

    mentioned = sum(value.rank == _MENTIONED for value in values.values())
    limit = _MENTIONED if mentioned >= _MANY else _OTHERS + 1
    return sorted((value for value in values.values() if value.rank < limit), key=order)[:20]


def _candidates(document: Document, nodes: list[Node]) -> Iterator[tuple[str, str, int]]:
    for node in nodes:
        for url in texts_of(node.get("sameAs"))[:40]:
            yield url, "structured data sameAs", 0 if _speaks_for_site(node) else _OTHERS
    for relations, attributes in document.link_elements:
        if relations & {"me", "publisher"}:
            yield attributes.get("href") or "", "link rel=me", _OWN_NAME
    yield from _linked(document)
    for url in _widgets(document):
        yield url, "widget of the network", _FRAME
    for key in ("article:publisher", "og:see_also", "profile:username"):
        for content in document.meta.get(key, ()):
            yield content, f"meta {key}", _FRAME
    handle = document.meta_line("twitter:site")
    if handle and re.fullmatch(r"@?[A-Za-z0-9_]{2,30}", handle):
        yield f"https://twitter.com/{handle.lstrip('@')}", "meta twitter:site", _DECLARED


def _linked(document: Document) -> Iterator[tuple[str, str, int]]:
    """The links, without an article's references."""
    places = link_places(document)
    for anchor in document.anchors:
        href = anchor.href
        if not _may_be_a_networks(href):
            continue
        place = places.get(anchor.node.mem_id, "main")
        if place != "main":
            yield href, f"link in the {place}", _FRAME
        elif profile_of(href) and (_has_name_of(document, href) or not _is_in_prose(anchor)):
            yield href, _IN_MAIN, _MENTIONED


def _may_be_a_networks(href: str) -> bool:
    """Whether an address names a host of a network or one below it; cheap, because hardly any link of a page does."""
    if href[:1] == "/" and href[1:2] != "/":
        return False
    scheme, slashes, rest = href.partition("//")
    host = (rest if slashes else scheme).partition("/")[0].lower()
    labels = host.partition(":")[0].partition("?")[0].rsplit(".", 3)
    return ".".join(labels[-2:]) in _BY_HOST or ".".join(labels[-3:]) in _BY_HOST


def _speaks_for_site(node: Node) -> bool:
    return "Person" not in node.get("@type", [])


_WIDGETS: Final = '[data-href*="facebook.com/"], fb\\:like-box[href], fb\\:fan[href], fb\\:like[href], fb\\:page[href]'

_WIDGET_WORDS: Final = TAG_WORDS.add("data-href", "<fb:")
(_PLUGIN_WORD,) = TAG_WORDS.add("facebook.com/plugins/")


def _widgets(document: Document) -> Iterator[str]:
    """The pages that boxes of a network show on purpose: they have no link until the network's script runs."""
    if not document.tag_words.isdisjoint(_WIDGET_WORDS):
        for node in document.tree.css(_WIDGETS)[:20]:
            yield node.attributes.get("data-href") or node.attributes.get("href") or ""
    if _PLUGIN_WORD in document.tag_words:
        for node in document.tree.css('iframe[src*="facebook.com/plugins/"]')[:20]:
            yield dict(parse_qsl(urlsplit(node.attributes.get("src") or "").query)).get("href", "")


_FOLLOW = re.compile(r"follow|folg|fan|like us|join|page|seite|kanal|channel|suiv|síg|sig|segu|profil", re.IGNORECASE)
#: What a sentence says that leads to the site's own profile.
_FOLLOW_US = re.compile(
    r"(?:follow|find|like|join|visit) (?:us|me)\b|folg(?:t|e|en sie) (?:uns|mir)|finde[nt]? (?:sie )?uns"
    r"|besuch\w+ (?:sie )?uns|(?:re)?trouvez-nous|suivez-nous|s[íi]guenos|encu[ée]ntranos|seguici|seguiteci|trovaci"
    r"|siga-nos|volg (?:ons|mij)|följ oss|følg os|obserwuj nas|sledujte n[áa]s|kövess",
    re.IGNORECASE,
)
_PROSE = frozenset(("p", "li", "td", "dd", "blockquote", "figcaption"))
#: More text around a link than a label would have.
_PROSE_CHARACTERS = 60


def _is_in_prose(anchor: Anchor) -> bool:
    """Whether a link is one of an article's references: words of a sentence that do not ask to follow anybody."""
    text = anchor.node.text().strip()
    network = _network_of(host_of(anchor.href))
    if not text or (network and network.key in text.lower()) or "twitter" in text.lower() or _FOLLOW.search(text):
        return False
    node = anchor.node.parent
    for _ in range(4):
        if node is None:
            return False
        if node.tag in _PROSE:
            words = " ".join(node.text().split())
            return len(words) > len(text) + _PROSE_CHARACTERS and not _FOLLOW_US.search(words[:2_000])
        node = node.parent
    return False


def _has_name_of(document: Document, address: str) -> bool:
    """Whether the name in a profile's address is the site's: as much of the one as makes no accident in the other."""
    name = _name_in(address)
    for label in _site_labels(document.host, document.site):
        shorter, longer = sorted((label, name), key=len)
        if shorter == longer or (len(shorter) >= 4 and shorter in longer):
            return True
    return False


def _name_in(address: str) -> str:
    parts = [_letters(part) for part in _plain(address.partition("?")[0]).split("/")]
    names = [part for part in parts[1:] if part and not part.isdigit()]
    return names[-1] if names else _letters(parts[0].partition(".")[0])


@lru_cache(maxsize=256)
def _site_labels(host: str, site: str) -> tuple[str, ...]:
    """The names a site goes by: acme of acme.de, and buchladen of buchladen.acme.de where that is no common word."""
    labels = [_letters(site.partition(".")[0]), _letters(host.partition(".")[0])]
    return tuple(label for label in dict.fromkeys(labels) if label and label not in _COMMON_LABELS)


_COMMON_LABELS: Final = frozenset(
    [
        *("blog", "blogs", "shop", "store", "forum", "forums", "news", "support", "help", "mail", "login", "secure"),
        *("account", "accounts", "info", "portal", "auth", "home", "mobile", "web", "sites"),
    ]
)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


def _plain(address: str) -> str:
    """A kept address for comparison: without scheme and www, x.com for twitter.com."""
    plain = address.partition("//")[2].removeprefix("www.").lower()
    return "x.com" + plain.removeprefix("twitter.com") if plain.startswith("twitter.com/") else plain


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
    return None if "{" in unquote(path) or "%7b" in path.lower() else (network.key, address)


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
