# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""The networks and how each writes its profiles."""

from __future__ import annotations

import re
from typing import Final

_NAME = r"[A-Za-z0-9_.\-%~À-ɏ]{1,100}"

#: First path segments that are never a profile, on any network.
_COMMON: Final = frozenset(
    [
        "share",
        "sharer",
        "sharer.php",
        "share.php",
        "intent",
        "plugins",
        "plugin",
        "dialog",
        "login",
        "signup",
        "sign-up",
        "sign_up",
        "signin",
        "register",
        "join",
        "logout",
        "about",
        "privacy",
        "policy",
        "policies",
        "legal",
        "terms",
        "tos",
        "help",
        "support",
        "search",
        "explore",
        "hashtag",
        "hashtags",
        "tag",
        "tags",
        "home",
        "settings",
        "download",
        "downloads",
        "app",
        "apps",
        "jobs",
        "careers",
        "ads",
        "advertising",
        "business",
        "developers",
        "developer",
        "docs",
        "blog",
        "press",
        "embed",
        "embeds",
        "oauth",
        "api",
        "images",
        "img",
        "assets",
        "static",
        "css",
        "js",
        "favicon.ico",
        "sitemap.xml",
        "robots.txt",
        "cookies",
        "contact",
        "feed",
        "status",
        "messages",
        "notifications",
        "i",
        "tr",
        "en",
        "de",
        "fr",
        "es",
        "it",
        "pt",
        "nl",
    ]
)


class Network:
    """How a network writes its profiles: hosts, the pattern of a profile's path, and paths that are none."""

    __slots__ = ("host", "hosts", "key", "prefix_host", "profile", "refused")

    def __init__(
        self, key: str, hosts: str, profile: str, *, refused: str = "", host: str = "", subdomain: bool = False
    ) -> None:
        self.key = key
        self.hosts = tuple(hosts.split())
        self.profile = re.compile(profile)
        self.refused = _COMMON | frozenset(refused.split())
        self.host = host or self.hosts[0]
        self.prefix_host = subdomain


NETWORKS: Final = (
    Network(
        "facebook", "facebook.com fb.com fb.me",
        rf"/(?:pages/category/[^/?#]{{1,80}}/[^/?#]{{1,150}}|(?:pages|people|groups|p)/[^/?#]{{1,150}}(?:(?:/[^/?#]{{1,150}})?/\d+)?|profile\.php|pg/{_NAME}|{_NAME})",
        refused="l.php photo photo.php photos video.php video watch events event story.php permalink.php posts media tr flx dialog"
        " hashtag gaming marketplace messages v2.0 v3.0 badges pages people groups pg p sharer.php ajax business.help r.php recover"
        " reel reels stories fundraisers notes 2008 legal",
        host="www.facebook.com",
    ),
    Network("x", "twitter.com x.com", r"/@?(?!\d{16})[A-Za-z0-9_]{1,30}", refused="widgets.js widgets hashtag statuses i/ tos account share_to"),
    Network(
        "linkedin", "linkedin.com", r"/(?:pub/[^/?#]{1,150}(?:/[0-9a-f]{1,4}){3}|edu/(?!school(?![^/?#]))[^/?#]{1,150}|(?:company|companies|in|school|showcase|pub|groups|company-beta|organization-guest/company)/[^/?#]{1,150})",
        refused="shareArticle sharing", host="www.linkedin.com",
    ),
    Network(
        "instagram", "instagram.com instagr.am", r"/[A-Za-z0-9_.]{1,40}", refused="p reel reels tv stories accounts direct explore locations developer",
        host="www.instagram.com",
    ),
    Network(
        "youtube", "youtube.com",
        r"/(?:@[^/?#]{1,100}|(?:channel|c|user)/[^/?#]{1,100}|[A-Za-z0-9_\-.]{2,100})",
        refused="subscription_center watch playlist results embed v shorts live channel c user t yt account iframe_api s player_api redirect premium creators music gaming feed attribution_link oembed kids ytimg post clip",
        host="www.youtube.com",
    ),
    Network("tiktok", "tiktok.com", r"/@[A-Za-z0-9_.]{1,40}", host="www.tiktok.com"),
    Network(
        "pinterest", "pinterest.com pinterest.de pinterest.fr pinterest.co.uk pinterest.es pinterest.it pinterest.at pinterest.ch pinterest.ca"
        " pinterest.com.au pinterest.pt pinterest.se pinterest.dk pinterest.nz pinterest.ie pinterest.jp pinterest.com.mx pinterest.nl pinterest.cl pinterest.ru",
        r"/[A-Za-z0-9_\-]{2,50}", refused="pin ideas today pinterest _ source board", host="www.pinterest.com",
    ),
    Network("github", "github.com", r"/[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})", refused="features pricing topics sponsors marketplace orgs enterprise collections trending issues pulls new security readme site"),
    Network("gitlab", "gitlab.com", r"/[A-Za-z0-9_.\-]{2,100}", refused="users help explore -"),
    Network("threads", "threads.net threads.com", r"/@[A-Za-z0-9_.]{1,40}", host="www.threads.net"),
    Network("bluesky", "bsky.app", r"/profile/[^/?#]{3,100}"),
    Network("telegram", "t.me telegram.me telegram.dog", r"/(?:s/)?(?:\+?[A-Za-z0-9_\-]{3,64}|joinchat/[\w-]{5,40})", refused="share iv addstickers proxy"),
    Network("vimeo", "vimeo.com", r"/(?:channels/[\w-]{2,60}|(?!\d+$)[A-Za-z0-9_\-]{2,60})", refused="channels watch categories upgrade features ondemand"),
    Network("xing", "xing.com", r"/(?:companies?|profile|(?:news/)?pages|net|communities/groups)/[^/?#]{1,120}", refused="spi social_plugins app", host="www.xing.com"),
    Network("yelp", "yelp.com yelp.de yelp.co.uk yelp.ca yelp.fr yelp.it yelp.es yelp.at yelp.ch yelp.ie yelp.com.au", r"/biz/[^/?#]{2,150}", host="www.yelp.com"),
    Network(
        "tripadvisor", "tripadvisor.com tripadvisor.de tripadvisor.co.uk tripadvisor.fr tripadvisor.it tripadvisor.es tripadvisor.ca tripadvisor.at"
        " tripadvisor.ch tripadvisor.nl tripadvisor.ie tripadvisor.com.au tripadvisor.com.br tripadvisor.se tripadvisor.dk tripadvisor.pt tripadvisor.in",
        r"/(?:Restaurant|Hotel|Attraction|VacationRental|ShowUserReviews|AttractionProduct)_?Review[^/?#]{0,300}", host="",
    ),
    Network("snapchat", "snapchat.com", r"/(?:add|@)/?[A-Za-z0-9_.\-]{2,40}", host="www.snapchat.com"),
    Network("reddit", "reddit.com", r"/(?:r|u|user)/[A-Za-z0-9_\-]{2,40}", refused="submit", host="www.reddit.com"),
    Network("discord", "discord.gg discord.com discordapp.com", r"/(?:invite/)?[A-Za-z0-9\-]{2,40}", refused="channels widget nitro safety", host=""),
    Network("medium", "medium.com", r"/(?:@?[A-Za-z0-9_.\-]{2,60})", refused="m p me plans topic", subdomain=True),
    Network("soundcloud", "soundcloud.com", r"/[A-Za-z0-9_\-]{2,60}", refused="player charts discover stream upload you"),
    Network("spotify", "spotify.com", r"/(?:intl-[a-z]{2}/)?(?:artist|show|user|playlist)/[A-Za-z0-9_.\-]{2,60}", host="open.spotify.com"),
    Network("twitch", "twitch.tv", r"/[A-Za-z0-9_]{2,40}", refused="directory videos p", host="www.twitch.tv"),
    Network("vk", "vk.com vkontakte.ru", r"/[A-Za-z0-9_.]{2,60}", refused="share.php video away.php widget_community.php js"),
    Network("ok", "ok.ru odnoklassniki.ru", r"/(?:group/\d{5,30}|profile/\d{5,30}|[A-Za-z0-9_.\-]{3,60})", refused="dk group profile"),
    Network("line", "line.me lin.ee", r"/(?:R/ti/p/[^/?#]{2,60}|ti/p/[^/?#]{2,60}|[A-Za-z0-9]{5,20})", refused="lineit msg", host=""),
    Network("tumblr", "tumblr.com", r"/(?:blog/)?[A-Za-z0-9\-]{2,60}", refused="widgets reblog follow dashboard", host="www.tumblr.com", subdomain=True),
    Network("flickr", "flickr.com", r"/(?:photos|people|groups)/[^/?#]{2,60}", host="www.flickr.com"),
    Network("behance", "behance.net", r"/[A-Za-z0-9_\-]{2,60}", refused="gallery galleries", host="www.behance.net"),
    Network("dribbble", "dribbble.com", r"/[A-Za-z0-9_\-]{2,60}", refused="shots designers tags"),
    Network("houzz", "houzz.com houzz.de houzz.co.uk houzz.com.au houzz.fr houzz.it houzz.es", r"/(?:pro|professionals|user|pro/[^/?#]{1,80})/[^/?#]{2,120}", host="www.houzz.com"),
    Network("mastodon", "mastodon.social mastodon.online mstdn.social mas.to fosstodon.org hachyderm.io chaos.social social.tchncs.de norden.social"
        " troet.cafe mastodon.world mastodon.green ruhr.social piaille.fr mastodon.uno mastodon.nl", r"/@[A-Za-z0-9_.]{1,40}", host=""),
    Network("weibo", "weibo.com", r"/(?:u/)?[A-Za-z0-9_]{2,40}", refused="ajax", host="weibo.com"),
    Network("kununu", "kununu.com", r"/(?:de|at|ch)/[^/?#]{2,120}", host="www.kununu.com"),
    Network("trustpilot", "trustpilot.com", r"/review/[^/?#]{3,120}", host="www.trustpilot.com"),
    Network("patreon", "patreon.com", r"/(?:c/)?[A-Za-z0-9_\-]{2,60}", refused="posts join", host="www.patreon.com"),
    Network("linktree", "linktr.ee", r"/[A-Za-z0-9_.\-]{2,60}"),
    Network("whatsapp", "wa.me whatsapp.com", r"/(?:message/[A-Za-z0-9]{4,40}|channel/[A-Za-z0-9]{4,60}|\+?\d{8,15})", host=""),
)  # fmt: skip
