"""Profiles in social networks: the network's own host, a profile's path, nothing for sharing."""

from __future__ import annotations

import pytest

from extractor.page import read_page
from extractor.page.social import profile_of


@pytest.mark.parametrize(
    ("url", "network", "kept"),
    [
        ("https://www.facebook.com/acme/", "facebook", "https://www.facebook.com/acme"),
        ("http://facebook.com/acme?ref=ts&fref=ts", "facebook", "https://facebook.com/acme"),
        ("https://de-de.facebook.com/acme", "facebook", "https://www.facebook.com/acme"),
        ("https://m.facebook.com/acme", "facebook", "https://www.facebook.com/acme"),
        ("//www.facebook.com/pages/Acme/123456", "facebook", "https://www.facebook.com/pages/Acme/123456"),
        (
            "https://www.facebook.com/profile.php?id=100064&sk=about",
            "facebook",
            "https://www.facebook.com/profile.php?id=100064",
        ),
        ("https://www.facebook.com/people/Acme/100064/", "facebook", "https://www.facebook.com/people/Acme/100064"),
        ("https://www.facebook.com/acme/about", "facebook", "https://www.facebook.com/acme"),
        (
            "https://www.facebook.com/pages/category/Bakery/Acme-123/",
            "facebook",
            "https://www.facebook.com/pages/category/Bakery/Acme-123",
        ),
        ("https://fb.com/acme", "facebook", "https://fb.com/acme"),
        ("https://twitter.com/acme?lang=de", "x", "https://twitter.com/acme"),
        ("https://x.com/@acme", "x", "https://x.com/acme"),
        ("http://twitter.com/#!/acme", "x", "https://twitter.com/acme"),
        ("https://mobile.twitter.com/acme", "x", "https://twitter.com/acme"),
        ("https://www.linkedin.com/company/acme-gmbh/about/", "linkedin", "https://www.linkedin.com/company/acme-gmbh"),
        ("https://de.linkedin.com/in/jane-doe-123", "linkedin", "https://www.linkedin.com/in/jane-doe-123"),
        ("https://www.linkedin.com/school/acme/", "linkedin", "https://www.linkedin.com/school/acme"),
        ("https://instagram.com/acme.shop/?hl=de", "instagram", "https://instagram.com/acme.shop"),
        ("https://www.youtube.com/@acme/videos", "youtube", "https://www.youtube.com/@acme"),
        ("https://www.youtube.com/channel/UC123", "youtube", "https://www.youtube.com/channel/UC123"),
        ("https://youtube.com/c/acme", "youtube", "https://youtube.com/c/acme"),
        ("https://www.youtube.com/acmefilms", "youtube", "https://www.youtube.com/acmefilms"),
        ("https://www.tiktok.com/@acme?lang=en", "tiktok", "https://www.tiktok.com/@acme"),
        ("https://www.pinterest.de/acme/", "pinterest", "https://www.pinterest.de/acme"),
        ("https://github.com/acme", "github", "https://github.com/acme"),
        ("https://www.threads.net/@acme", "threads", "https://www.threads.net/@acme"),
        ("https://bsky.app/profile/acme.de", "bluesky", "https://bsky.app/profile/acme.de"),
        ("https://mastodon.social/@acme", "mastodon", "https://mastodon.social/@acme"),
        ("https://t.me/acme", "telegram", "https://t.me/acme"),
        ("https://wa.me/4915112345678?text=x", "whatsapp", "https://wa.me/4915112345678"),
        ("https://vimeo.com/acme", "vimeo", "https://vimeo.com/acme"),
        ("https://www.xing.com/companies/acme", "xing", "https://www.xing.com/companies/acme"),
        ("https://www.xing.com/pages/acme", "xing", "https://www.xing.com/pages/acme"),
        ("https://www.yelp.com/biz/acme-ohio?osq=x", "yelp", "https://www.yelp.com/biz/acme-ohio"),
        ("https://www.reddit.com/r/acme/", "reddit", "https://www.reddit.com/r/acme"),
        ("https://discord.gg/abc", "discord", "https://discord.gg/abc"),
        ("https://discord.com/invite/abc", "discord", "https://discord.com/invite/abc"),
        ("https://medium.com/@acme", "medium", "https://medium.com/@acme"),
        ("https://acme.medium.com/", "medium", "https://acme.medium.com"),
        ("https://soundcloud.com/acme", "soundcloud", "https://soundcloud.com/acme"),
        ("https://open.spotify.com/artist/0abc", "spotify", "https://open.spotify.com/artist/0abc"),
        ("https://www.twitch.tv/acme", "twitch", "https://www.twitch.tv/acme"),
        ("https://vk.com/acme", "vk", "https://vk.com/acme"),
        ("https://line.me/R/ti/p/%40acme", "line", "https://line.me/R/ti/p/%40acme"),
        ("https://www.snapchat.com/add/acme", "snapchat", "https://www.snapchat.com/add/acme"),
        (
            "https://www.facebook.com/pages/Torino-Italy/Acme-AG/116305146770?ref=nf",
            "facebook",
            "https://www.facebook.com/pages/Torino-Italy/Acme-AG/116305146770",
        ),
        ("http://www.facebook.com/#%21/acme?ref=ts", "facebook", "https://www.facebook.com/acme"),
        ("https://www.youtube.com/subscription_center?add_user=acme", "youtube", "https://www.youtube.com/user/acme"),
        (
            "https://www.linkedin.com/pub/a-meier/1b/46a/324",
            "linkedin",
            "https://www.linkedin.com/pub/a-meier/1b/46a/324",
        ),
        ("https://www.linkedin.com/companies/683279", "linkedin", "https://www.linkedin.com/companies/683279"),
        ("https://www.pinterest.com/acme/pins/", "pinterest", "https://www.pinterest.com/acme"),
        ("https://www.xing.com/news/pages/acme-54?sc_o=x", "xing", "https://www.xing.com/news/pages/acme-54"),
        ("https://www.flickr.com/photos/acme/albums", "flickr", "https://www.flickr.com/photos/acme"),
    ],
)
def test_a_profile_is_known_and_kept_in_one_spelling(url: str, network: str, kept: str) -> None:
    assert profile_of(url) == (network, kept)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.facebook.com/sharer/sharer.php?u=https://acme.de",
        "https://www.facebook.com/sharer.php?u=x",
        "https://www.facebook.com/share.php?u=x",
        "https://www.facebook.com/dialog/feed?app_id=1",
        "https://www.facebook.com/plugins/like.php?href=x",
        "https://www.facebook.com/tr?id=1&ev=PageView",
        "https://www.facebook.com/acme/posts/123456",
        "https://www.facebook.com/acme/photos/a.1/2",
        "https://www.facebook.com/policies/cookies/",
        "https://www.facebook.com/privacy/explanation",
        "https://www.facebook.com/",
        "https://developers.facebook.com/docs/plugins/",
        "https://notfacebook.com/acme",
        "https://facebook.com.evil.com/acme",
        "https://twitter.com/intent/tweet?text=x",
        "https://twitter.com/share?url=x",
        "https://twitter.com/acme/status/123456",
        "https://twitter.com/hashtag/acme",
        "https://twitter.com/search?q=acme",
        "https://x.com/i/flow/login",
        "https://help.twitter.com/en",
        "https://www.linkedin.com/shareArticle?mini=true&url=x",
        "https://www.linkedin.com/sharing/share-offsite/?url=x",
        "https://www.linkedin.com/legal/privacy-policy",
        "https://www.linkedin.com/feed/update/urn:li:activity:1",
        "https://www.instagram.com/p/CabcDEF/",
        "https://www.instagram.com/reel/CabcDEF/",
        "https://www.instagram.com/explore/tags/acme/",
        "https://help.instagram.com/519522125107875",
        "https://www.youtube.com/watch?v=abc",
        "https://youtu.be/abc",
        "https://www.youtube.com/embed/abc",
        "https://www.youtube.com/playlist?list=abc",
        "https://www.youtube.com/t/terms",
        "https://www.pinterest.com/pin/create/button/?url=x",
        "https://pinterest.com/pin/123",
        "https://github.com/acme/repository",
        "https://gist.github.com/acme/1",
        "https://api.whatsapp.com/send?text=hello",
        "https://t.me/share/url?url=x",
        "https://vimeo.com/123456",
        "https://player.vimeo.com/video/1",
        "https://www.xing.com/spi/shares/new?url=x",
        "https://www.reddit.com/submit?url=x",
        "https://vk.com/share.php?url=x",
        "https://www.tiktok.com/@acme/video/123",
        "https://www.tumblr.com/widgets/share/tool?x=1",
        "https://acme.de/facebook.com/acme",
        "https://www.facebook.com/home.php",
        "https://www.facebook.com/notes.php?id=1",
        "https://www.youtube.com/subscription_center",
        "https://twitter.com/363209896562413568",
        "https://www.linkedin.com/edu/school?id=18",
        "mailto:facebook.com",
        "#facebook",
    ],
)
def test_what_is_no_profile_is_none(url: str) -> None:
    assert profile_of(url) is None


def profiles(body: str, url: str = "https://www.acme.de/", head: str = "") -> dict[str, str]:
    facts = read_page(f"<head>{head}</head><body>{body}".encode(), url=url)
    return {network: found[0].value for network, found in facts.social_links.items()}


@pytest.mark.parametrize(
    "body",
    [
        '<div class="fb-page" data-href="https://www.facebook.com/acme" data-width="300"></div>',
        '<div class="fb-like" data-href="https://www.facebook.com/acme/?ref=x"></div>',
        '<fb:like-box href="https://www.facebook.com/acme" width="226"></fb:like-box>',
        '<iframe src="//www.facebook.com/plugins/likebox.php?href=https%3A%2F%2Fwww.facebook.com%2Facme"></iframe>',
    ],
)
def test_the_page_shown_in_a_box_of_the_network_is_the_sites(body: str) -> None:
    assert profiles(body) == {"facebook": "https://www.facebook.com/acme"}


def test_a_profile_of_the_sites_name_comes_before_its_authors_wherever_it_stands() -> None:
    author = '<article><p>x</p><footer>by <a href="https://twitter.com/eva_meier">Eva</a></footer></article>'

    assert profiles(f'{author}<p><a href="https://twitter.com/AcmeNews">t</a></p>') == {
        "x": "https://twitter.com/AcmeNews"
    }
    assert profiles(author, head='<meta name="twitter:site" content="@acme">') == {"x": "https://twitter.com/acme"}
    assert profiles(author) == {"x": "https://twitter.com/eva_meier"}


def test_what_an_article_refers_to_is_nobodys_profile() -> None:
    sentence = "The language has grown a lot since, and the people at {} answer what is asked about it."
    reference = f"<p>{sentence.format('<a href=https://discord.gg/rust-lang>the chat</a>')}</p>"
    asked = f"<p>{sentence.format('<a href=https://discord.gg/abc>our Discord</a>')}</p>"

    follow = "<p>We write about anvils and hammers. Follow us and see how a new one is made every week: "

    assert profiles(f"{follow}<a href='https://www.instagram.com/smithy'>smithy</a></p>") == {
        "instagram": "https://www.instagram.com/smithy"
    }
    assert profiles(reference) == {}
    assert profiles(asked) == {"discord": "https://discord.gg/abc"}


def test_many_profiles_of_others_are_a_list_of_others() -> None:
    people = "".join(f'<div><a href="https://www.linkedin.com/in/person-{name}"><img></a></div>' for name in "abcd")

    assert profiles(people) == {}
    assert profiles(people + '<footer><a href="https://www.linkedin.com/company/77">in</a></footer>') == {
        "linkedin": "https://www.linkedin.com/company/77"
    }


def test_the_maker_of_the_sites_tools_has_no_profile_there_whatever_the_network_is_called() -> None:
    links = '<a href="https://twitter.com/wordpressdotcom">x</a><a href="https://www.facebook.com/WordPresscom">f</a>'

    assert profiles(f"<footer>{links}</footer>", "https://acme.wordpress.com/") == {}


def test_the_sites_own_profile_comes_before_one_linked_in_an_article() -> None:
    html = (
        "<main><a href='https://twitter.com/somebody'>x</a></main><footer><a href='https://twitter.com/acme'>x</a></footer>"
        "<a href='https://www.facebook.com/sharer.php?u=x'>share</a>"
    )

    facts = read_page(html.encode(), url="https://acme.de/")

    assert [found.value for found in facts.social_links["x"]] == [
        "https://twitter.com/acme",
        "https://twitter.com/somebody",
    ]
    assert list(facts.social_links) == ["x"]
