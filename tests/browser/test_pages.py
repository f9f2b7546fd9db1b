"""What a person does on the pages, done in Chromium."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]

from app.access.sessions import COOKIE  # noqa: E402 - the marks come first
from tests.support.web import BATCHES, DOMAINS, SCANS  # noqa: E402 - the marks come first

SOON = 20_000


def open_scan(page: Page, url: str, domain: str) -> None:
    """Submit a domain as a person does."""
    page.goto(url)
    page.get_by_label("Domain").fill(domain)
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")


def ended(client: Any, path: str) -> Any:
    """The document, once it has ended."""
    from tests.support.processes import wait_for

    def look() -> Any:
        document = client.get(path).json()
        return document if document["status"] not in ("pending", "processing") else None

    return wait_for(look, what=f"the end of {path}", seconds=60)


def test_a_submitted_domain_becomes_a_readable_result_with_the_page_of_each_value(page: Page, served: Any) -> None:
    open_scan(page, served.url, "https://www.impressum-fixture.de/kontakt")

    expect(page.get_by_role("heading", level=1)).to_have_text("impressum-fixture.de")
    contact = page.locator("#contact")
    expect(contact.get_by_role("link", name="kontakt@impressum-fixture.de")).to_be_visible(timeout=SOON)
    expect(contact.get_by_role("link", name="+49 89 12345678")).to_have_attribute("href", "tel:+498912345678")
    expect(contact.get_by_text("mailto link").first).to_be_visible()
    expect(contact.get_by_role("link", name="/kontakt").first).to_be_visible()
    expect(page.locator(".badge").first).to_have_text("Done")
    expect(page.get_by_role("button", name="Scan again")).to_be_visible()
    page.get_by_text("Raw JSON").click()
    expect(page.locator("pre")).to_contain_text('"email_addresses"')


BOXES = "[...document.querySelectorAll('.tile, h1, #who dl')].map((e) => JSON.stringify(e.getBoundingClientRect()))"


def test_the_pictures_of_a_site_are_shown_and_where_it_gives_none_a_letter_holds_their_place(
    page: Page, served: Any
) -> None:
    open_scan(page, served.url, "lost-pictures-fixture.com")
    expect(page.locator(".tile-wide")).to_have_text("L", timeout=SOON)
    expect(page.locator(".tile img[data-picture]")).to_have_count(2)
    sizes_without = [tile.bounding_box() for tile in page.locator(".tile").all()]
    assert page.locator(".tile img.shown").count() == 0

    open_scan(page, served.url, "nice-pictures-fixture.com")
    expect(page.locator(".tile img.shown")).to_have_count(2, timeout=SOON)

    widths = page.eval_on_selector_all(".tile img", "images => images.map((image) => image.naturalWidth)")
    assert all(width > 0 for width in widths)
    assert [tile.bounding_box() for tile in page.locator(".tile").all()] == sizes_without
    boxes = page.evaluate(BOXES)
    page.route("**/logo?v=*", lambda route: route.fulfill(status=404))
    page.route("**/favicon?v=*", lambda route: route.fulfill(status=404))
    page.evaluate("for (const image of document.querySelectorAll('.tile img')) image.src += '&again'")
    expect(page.locator(".tile img.shown")).to_have_count(0)
    assert page.evaluate(BOXES) == boxes


def test_a_value_is_copied_by_its_button(page: Page, served: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_scan(page, served.url, "wordpress-fixture.com")
    expect(page.locator("#technology")).to_contain_text("WordPress", timeout=SOON)

    page.get_by_role("button", name="Copy hello@wordpress-fixture.com").click()

    expect(page.locator("#said")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "hello@wordpress-fixture.com"


def test_a_reload_in_the_middle_of_a_scan_loses_nothing(page: Page, served: Any) -> None:
    open_scan(page, served.url, "slow-700-fixture.com")
    expect(page.locator("[data-state]")).to_have_text("Scanning", timeout=SOON)
    expect(page.locator("[data-step]")).to_contain_text("reading", timeout=SOON)

    page.reload()

    expect(page.get_by_role("heading", level=1)).to_have_text("slow-700-fixture.com")
    expect(page.locator("#pages")).to_be_visible(timeout=SOON)
    expect(page.locator(".badge").first).to_have_text("Done")


def test_a_link_with_the_job_in_its_query_leads_to_the_job(page: Page, served: Any) -> None:
    job = served.client.post(f"{SCANS}/scan", json={"base_url": "plain-7-fixture.com"}).json()

    page.goto(f"{served.url}/?job={job['job_id']}")

    expect(page.get_by_role("heading", level=1)).to_have_text("plain-7-fixture.com")


def test_without_an_event_source_the_page_asks_and_still_shows_the_result(page: Page, served: Any) -> None:
    page.add_init_script("delete window.EventSource")

    open_scan(page, served.url, "slow-300-fixture.com")

    expect(page.locator("#pages")).to_be_visible(timeout=SOON)


def test_what_is_no_domain_is_refused_in_words_beside_the_field(browser: Browser, served: Any) -> None:
    context = browser.new_context()
    page = context.new_page()  # the refusal is an answer of 422, which the console notes as an error
    page.goto(served.url)

    page.get_by_label("Domain").fill("localhost")
    page.get_by_role("button", name="Scan").click()

    expect(page.get_by_role("alert")).to_contain_text("public domain name")
    expect(page.get_by_label("Domain")).to_have_value("localhost")
    context.close()


def test_a_failed_scan_says_what_happened_and_what_to_try_and_can_be_tried_again(page: Page, served: Any) -> None:
    open_scan(page, served.url, "missing-fixture.com")
    notice = page.locator(".notice-bad")
    expect(notice).to_contain_text("does not exist", timeout=SOON)
    expect(notice).to_contain_text("Check the spelling")

    page.get_by_role("button", name="Try again").click()

    expect(notice).to_contain_text("does not exist", timeout=SOON)


def test_while_no_worker_is_alive_the_pages_say_so_and_the_result_comes_when_one_starts(
    page: Page, unserved: Any
) -> None:
    page.goto(unserved.url)
    expect(page.get_by_text("No worker is running.")).to_be_visible()
    open_scan(page, unserved.url, "plain-1-fixture.com")
    expect(page.get_by_text("No worker is running.")).to_be_visible()
    expect(page.locator("[data-step]")).to_contain_text("Number 1 in the queue, 0 workers alive")

    unserved.start_worker()

    expect(page.locator("#pages")).to_be_visible(timeout=SOON)
    expect(page.get_by_text("No worker is running.")).to_have_count(0)


def test_a_waiting_scan_can_be_cancelled_and_taken_up_again(page: Page, unserved: Any) -> None:
    open_scan(page, unserved.url, "plain-1-fixture.com")

    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-state]")).to_have_text("Waiting")


def test_a_batch_of_three_hundred_with_failures_is_followed_to_its_end_and_retried(page: Page, served: Any) -> None:
    from tests.browser.conftest import flaky

    flaky.is_mended = False
    names = [f"plain-{number}-fixture.com" for number in range(288)]
    names += [f"flaky-{number}-fixture.com" for number in range(12)]
    page.goto(f"{served.url}/batch")
    page.get_by_label("Domains, one on each line").fill("\n".join(["domain", *names, names[0], "localhost"]))
    page.get_by_label("Pages at most, each").fill("1")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("1duplicates merged")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("303.*localhost"))).to_be_visible()

    page.get_by_role("button", name="Scan 300 domains").click()
    page.wait_for_url("**/batch/*")
    expect(page.locator("[data-batch-status]")).to_have_text("Done, with failures", timeout=60_000)
    page.reload()
    page.get_by_role("link", name="Failed 12").click()
    expect(page.locator("tbody tr")).to_have_count(12)
    expect(page.locator("tbody tr").first).to_contain_text("flaky-0-fixture.com")
    flaky.is_mended = True
    page.get_by_role("button", name="Retry failed").click()

    expect(page.locator("[data-batch-status]")).to_have_text("Done", timeout=SOON)
    expect(page.get_by_role("link", name="Done 300")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert len(download.value.path().read_text("utf-8-sig").splitlines()) == 301


@pytest.mark.parametrize("width", [1280, 390])
def test_the_table_of_a_batch_is_sorted_by_its_headings_and_on_a_phone_by_a_list(
    browser: Browser, served: Any, width: int
) -> None:
    domains = ["plain-b-fixture.com", "missing-fixture.com", "plain-c-fixture.com", "plain-a-fixture.com"]
    batch = served.client.post(f"{BATCHES}/batch", json={"domains": domains, "max_pages": 1}).json()
    ended(served.client, batch["status_url"])
    context = browser.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    page.goto(f"{served.url}/batch/{batch['batch_id']}")
    names = page.locator("tbody a.name")
    expect(names).to_have_text(domains)

    def sort(heading: str, word: str) -> None:
        if width < 700:
            page.get_by_label("Order").select_option(word)
            page.get_by_role("button", name="Show").click()
        else:
            page.get_by_role("columnheader", name=heading).get_by_role("link").click()

    sort("Domain", "Name, A to Z")
    expect(names).to_have_text(sorted(domains))
    sort("Domain", "Name, Z to A")
    expect(names).to_have_text(sorted(domains)[::-1])
    sort("Status", "Waiting first")
    expect(names).to_have_text(["plain-b-fixture.com", "plain-c-fixture.com", "plain-a-fixture.com", domains[1]])
    page.get_by_role("link", name="Done 3").click()
    expect(names).to_have_text(["plain-b-fixture.com", "plain-c-fixture.com", "plain-a-fixture.com"])
    sort("Finished", "Latest finished")
    expect(page.locator("tbody tr")).to_have_count(3)
    ends = page.locator("tbody time").evaluate_all("times => times.map((time) => time.dateTime)")
    assert ends == sorted(ends, reverse=True)
    if width > 700:
        expect(page.get_by_role("columnheader", name="Finished")).to_have_attribute("aria-sort", "descending")
    context.close()


def test_a_title_that_is_markup_is_shown_as_text_everywhere(page: Page, served: Any) -> None:
    open_scan(page, served.url, "hostile-title-fixture.com")
    expect(page.locator("#who")).to_contain_text("<script>window.owned=1</script>", timeout=SOON)
    batch = served.client.post(f"{BATCHES}/batch", json={"domains": ["hostile-title-fixture.com"]}).json()
    ended(served.client, batch["status_url"])

    for path in ("/", "/domains?q=hostile", f"/batch/{batch['batch_id']}"):
        page.goto(served.url + path)
        expect(page.get_by_text("<script>window.owned=1</script>").first).to_be_visible()
        assert page.evaluate("window.owned") is None
        assert page.locator("main img, main script").count() == 0
        assert page.locator("main a[href^=javascript]").count() == 0


def test_the_list_is_searched_filtered_sorted_and_scans_again(page: Page, served: Any) -> None:
    for name in ("plain-alpha-fixture.com", "plain-beta-fixture.com"):
        job = served.client.post(f"{SCANS}/scan", json={"base_url": name}).json()
        ended(served.client, job["status_url"])
    page.goto(f"{served.url}/domains")

    page.get_by_label("Search").fill("ta-fixture")
    page.get_by_label("Status").select_option("completed")
    page.get_by_label("Order").select_option("domain")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Scan again plain-beta-fixture.com").click()

    page.wait_for_url("**/domains?q=ta-fixture*")
    [row] = served.client.get(DOMAINS, params={"q": "plain-beta"}).json()["domains"]
    assert ended(served.client, f"{SCANS}/status/{row['id']}")["status"] == "completed"


def test_the_status_page_draws_the_last_hour_and_names_the_workers(page: Page, served: Any) -> None:
    job = served.client.post(f"{SCANS}/scan", json={"base_url": "plain-2-fixture.com"}).json()
    ended(served.client, job["status_url"])

    page.goto(f"{served.url}/status")

    expect(page.get_by_role("img", name=re.compile("Domains finished in each minute"))).to_be_visible()
    assert page.locator(".bar-good").count() >= 1
    expect(page.get_by_role("row", name=re.compile("of 100"))).to_be_visible()


def test_everything_is_reached_by_the_keyboard(page: Page, served: Any) -> None:
    page.goto(f"{served.url}/status")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.goto(served.url)
    expect(page.get_by_label("Domain")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Scan", exact=True)).to_be_focused()


def test_the_flow_works_without_scripts(browser: Browser, served: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()

    open_scan(page, served.url, "plain-3-fixture.com")
    ended(served.client, f"{SCANS}/status/{page.url.rpartition('/')[2]}")
    page.reload()

    expect(page.locator("#contact")).to_contain_text("info@plain-3-fixture.com")
    context.close()


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1280),
        pytest.param("dark", 390, marks=pytest.mark.slow),
        pytest.param("dark", 1280, marks=pytest.mark.slow),
        pytest.param("light", 390, marks=pytest.mark.slow),
    ],
)
def test_no_page_has_a_serious_fault_of_accessibility_or_scrolls_sideways(
    browser: Browser, served: Any, axe: str, scheme: Any, width: int
) -> None:
    domains = ["impressum-fixture.de", "missing-fixture.com", "wordpress-fixture.com", "nice-pictures-fixture.com"]
    batch = served.client.post(f"{BATCHES}/batch", json={"domains": domains}).json()
    status = ended(served.client, batch["status_url"])
    jobs = [f"/jobs/{row['job_id']}" for row in status["domains"]]
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 844}, bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()

    paths = ("/", *jobs, "/batch", f"/batch/{batch['batch_id']}", f"/batch/{batch['batch_id']}?status=cancelled")
    for path in (*paths, "/domains", "/domains?q=nothing-of-this-name", "/status", "/docs", "/nowhere"):
        page.goto(served.url + path)
        assert_is_accessible(page, axe)
    page.goto(f"{served.url}/batch")
    page.get_by_label("Domains, one on each line").fill("plain-1-fixture.com\nlocalhost")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("button", name="Scan 1 domain")).to_be_visible()
    assert_is_accessible(page, axe)
    open_scan(page, served.url, "slow-2000-fixture.com")
    expect(page.locator("[data-state]")).to_have_text("Scanning", timeout=SOON)
    assert_is_accessible(page, axe)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    assert_is_accessible(page, axe)
    context.add_cookies([{"name": COOKIE, "value": "sky_of_nobody", "url": served.url}])
    page.goto(f"{served.url}/sign-in")
    expect(page.get_by_label("Token")).to_be_visible()
    assert_is_accessible(page, axe)
    context.close()


def assert_is_accessible(page: Page, axe: str) -> None:
    """No finding of axe-core that is serious or worse, and nothing wider than the window."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (violation["id"], violation["nodes"][0]["html"][:200], violation["nodes"][0].get("failureSummary"))
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, page.url
