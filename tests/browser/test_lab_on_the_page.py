"""A reader's lab on the pages of `lab serve`. The cluster's words are those of kept Evidence; the server and the browser are real."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from courselab.errors import LabError
from courselab.grade.evidence import Evidence
from courselab.site.labs import Seen
from tests.browser.chromium import PHONE, opened, visit
from tests.browser.conftest import Serving, served
from tests.browser.replayed_labs import ReplayedLabs, kept
from tests.unit.site.fake_labs import HOSTILE, report

CHAPTER_PAGE = "/chapters/03-services/"
LOST = "ERR_CONNECTION_REFUSED"
CUT = "ERR_INCOMPLETE_CHUNKED_ENCODING"


def task(page: Page, name: str) -> Locator:
    return page.locator(f'[data-task="03.{name}"]')


def panel(page: Page) -> Locator:
    return page.locator(".lab-panel")


def test_a_lab_is_started_from_its_page_and_its_tasks_turn(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.go_on.clear()
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        expect(panel(page)).to_contain_text("not started")
        panel(page).get_by_role("button", name="Start").click()
        expect(panel(page)).to_contain_text("Starting machines server")
        expect(panel(page)).to_contain_text("about 6.0 s")
        expect(panel(page).get_by_role("button", name="Start")).to_be_disabled()
        labs.go_on.set()
        expect(task(page, "service")).to_contain_text("not yet")
        expect(task(page, "tls")).to_contain_text("blocked")
        labs.show("solved")
        expect(panel(page)).to_contain_text(f"{labs.lab.possible} of {labs.lab.possible} points")
        for one in labs.lab.tasks:
            expect(page.locator(f'[data-task="{one.id}"] .lab-verdict')).to_contain_text("done")
    assert labs.ran == ["start"]


def test_a_failing_task_says_what_the_terminal_says(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.show("route.host")
    result = next(one for one in kept("03", "route.host").report.results if one.id == "03.route")
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        live = task(page, "route").locator(".lab-task-live")
        expect(live).to_contain_text(result.message)
        for line in (result.expected, *result.why):
            expect(live).to_contain_text(line)
        picture = page.locator("svg.pic")
        expect(picture.locator(".pic-well").first).to_be_visible()
        expect(picture.locator(".pic-other .pic-reason").first).to_contain_text("03.route: The rule")
        panel(page).get_by_text("The same in words").click()
        expect(panel(page).locator(".lab-words li").first).to_be_visible()


def test_the_reader_s_own_values_stand_in_the_text(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.show("untouched")
    assert labs.row
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        host = page.locator('var[data-param="host"]').first
        expect(host).to_have_text(labs.row.params["host"])
        expect(task(page, "route").locator(".lab-example")).to_be_hidden()
        labs.row = None
        expect(host).not_to_have_text(kept("03", "untouched").evidence.params["host"])


def test_a_hint_that_was_opened_is_told(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.show("untouched")
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        expect(panel(page)).to_contain_text("running")
        task(page, "public").locator("summary").first.click()
        expect(task(page, "public").locator("details.lab-hint-taken")).to_have_count(1)
    assert labs.hinted == [("03.public", 1)]


def test_reset_asks_first_and_a_start_that_fails_says_why(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.show("untouched")
    labs.fails = LabError("Too little memory", why="This lab needs `2 GiB`.", fix="Close something.")
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        panel(page).get_by_role("button", name="Reset").click()
        panel(page).get_by_role("button", name="No", exact=True).click()
        assert labs.ran == []
        panel(page).get_by_role("button", name="Reset").click()
        panel(page).get_by_role("button", name="Yes, reset").click()
        expect(panel(page).get_by_role("alert")).to_contain_text("Too little memory")
        expect(panel(page).get_by_role("alert")).to_contain_text("Close something.")
    assert labs.ran == ["reset"]


def test_a_button_works_while_the_computer_s_network_changes(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    """As it does whenever a machine of some lab comes or goes."""
    labs.show("untouched")
    with opened(chromium, serving.origin, expected=("ERR_FAILED",)) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        page.route("**/api/job", lambda route: route.abort(), times=1)
        panel(page).get_by_role("button", name="Stop").click()
        expect(panel(page)).to_contain_text("stopped")
        expect(panel(page).get_by_role("alert")).to_have_count(0)
    assert labs.ran == ["stop"]


def test_a_lab_that_was_left_half_started_can_be_started_from_the_page(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.show("untouched")
    assert labs.row
    labs.row = replace(labs.row, phase="starting")
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        expect(panel(page)).to_contain_text("not finished")
        panel(page).get_by_role("button", name="Start").click()
        expect(panel(page)).to_contain_text("running")
    assert labs.ran == ["start"]


def test_hostile_words_of_a_cluster_are_text(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    """In reports, in the picture, in names of machines, in errors."""
    labs.show("solved")
    assert labs.row
    evidence = kept("03", "solved").evidence
    labs.see(Seen(report(), _hostile(evidence), connection="unreachable", why=HOSTILE, notice=HOSTILE))
    labs.fails = LabError(HOSTILE, why=f"`{HOSTILE}`", fix=HOSTILE)
    labs.row = replace(labs.row, k3s=HOSTILE, params={"host": HOSTILE})
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        expect(task(page, "route")).to_contain_text("onerror")
        expect(page.locator("svg.pic")).to_contain_text("onerr")
        panel(page).get_by_role("button", name="Stop").click()
        expect(panel(page).get_by_role("alert")).to_contain_text("onerror")
        page.goto("/lab/")
        expect(page.locator(".lab-overview svg.pic")).to_contain_text("onerr")
        expect(page.locator(".lab-overview table")).to_contain_text("running")
        assert page.locator("[onerror], img[src='x']").count() == 0
        assert page.locator("script:not([src])").count() == page.locator("script#__config").count()


def test_ten_tabs_hear_of_a_change_and_go_on_when_the_first_is_closed(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.show("untouched")
    with opened(chromium, serving.origin) as window:
        tabs = [visit(window, serving.address(CHAPTER_PAGE)) for _ in range(10)]
        for tab in tabs:
            expect(task(tab, "route").locator(".lab-verdict")).not_to_contain_text("done")
        labs.show("solved")
        for tab in tabs:
            expect(task(tab, "route").locator(".lab-verdict")).to_contain_text("done")
        tabs.pop(0).close()
        labs.show("route.host")
        for tab in tabs:
            expect(task(tab, "route").locator(".lab-verdict")).to_contain_text("not yet")


def test_a_second_browser_needs_the_address_too(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.show("solved")
    with (
        opened(chromium, serving.origin) as first,
        opened(chromium, serving.origin, expected=("status of 401",)) as second,
    ):
        visit(first, serving.address(CHAPTER_PAGE))
        page = visit(second, CHAPTER_PAGE)
        expect(panel(page)).to_contain_text("Open the whole address")
        expect(page.locator(".lab-verdict")).to_have_count(0)
        page.goto(serving.address(CHAPTER_PAGE))
        assert "token" not in page.url
        expect(task(page, "route").locator(".lab-verdict")).to_contain_text("done")


def test_lab_serve_that_ends_and_begins_again(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    """A closed laptop, a restarted computer: the page says so, keeps what it knew, and goes on by itself."""
    labs.show("route.host")
    with opened(chromium, serving.origin, expected=(LOST, CUT, "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        expect(task(page, "route").locator(".lab-verdict")).to_contain_text("not yet")
        serving.end()
        expect(panel(page).get_by_role("status").filter(has_text="is lost")).to_be_visible()
        expect(panel(page).get_by_role("button", name="Check")).to_be_disabled()
        expect(task(page, "route").locator(".lab-verdict")).to_contain_text("not yet")
        labs.show("solved")
        serving.begin_again()
        expect(task(page, "route").locator(".lab-verdict")).to_contain_text("done")
        expect(page.get_by_text("is lost")).to_have_count(0)


def test_a_cluster_that_does_not_answer_is_told_and_the_page_goes_on(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.show("solved")
    last = kept("03", "solved")
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        expect(task(page, "route").locator(".lab-verdict")).to_contain_text("done")
        labs.see(Seen(last.report, last.evidence, connection="unreachable", why="connection refused"))
        expect(panel(page)).to_contain_text("does not answer at this moment: connection refused")
        labs.see(Seen(last.report, last.evidence))
        expect(panel(page)).not_to_contain_text("does not answer at this moment")


def test_machines_without_k3s_are_no_trouble(chromium: Browser, site: Path) -> None:
    """Chapter 01: the learner installs it."""
    labs = ReplayedLabs("untouched", chapter="01")
    with served(site, labs) as serving, opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(f"/chapters/{labs.lab.folder.name}/"))
        expect(panel(page)).to_contain_text("There is no cluster yet: K3s is not installed.")
        expect(page.locator("svg.pic .pic-busy")).to_contain_text("K3s is not")
        expect(panel(page).locator(".lab-notice")).to_have_count(0)
        expect(page.locator("svg.pic .pic-broken")).to_have_count(0)


def test_what_only_the_terminal_can_try_is_said(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    """The page makes no experiment that disturbs the lab."""
    labs.show("solved")
    last = kept("03", "solved")
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        panel(page).get_by_role("button", name="Check").click()
        labs.see(Seen(last.report, last.evidence, doing="checking", waits_for=("03.tls: up to 20 s",)))
        expect(panel(page).get_by_role("button", name="Check")).to_be_disabled()
        expect(panel(page)).to_contain_text("03.tls: up to 20 s")
        labs.see(Seen(last.report, last.evidence, notice="02.heal: `lab check` in a terminal makes it."))
        expect(panel(page).get_by_role("button", name="Check")).to_be_enabled()
        expect(panel(page).get_by_role("status").filter(has_text="in a terminal").locator("code")).to_have_text("lab check")
    assert labs.ran == ["check"]


def test_what_is_open_and_where_the_reader_is_stays_when_something_changes(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    labs.show("untouched")
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        task(page, "route").locator("summary").first.click()
        panel(page).get_by_text("The same in words").click()
        panel(page).get_by_role("button", name="Check").focus()
        labs.show("solved")
        expect(task(page, "route").locator(".lab-verdict")).to_contain_text("done")
        expect(task(page, "route").locator(".lab-hint-text").first).to_be_visible()
        expect(panel(page).locator(".lab-words li").first).to_be_visible()
        expect(panel(page).get_by_role("button", name="Check")).to_be_focused()
        for control in (panel(page).get_by_role("link", name="03.route"), panel(page).get_by_text("The same in words")):
            control.focus()
            labs.show("route.host")
            expect(panel(page).get_by_role("link", name="03.route")).to_contain_text("not yet")
            expect(control).to_be_focused()
            labs.show("solved")
            expect(panel(page).get_by_role("link", name="03.route")).to_contain_text("done")


def test_buttons_are_pressed_by_keys_alone(chromium: Browser, serving: Serving, labs: ReplayedLabs) -> None:
    """The focus never falls out of the panel, so that Tab leads on to the next button."""
    labs.show("untouched")
    with opened(chromium, serving.origin) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        panel(page).get_by_role("button", name="Reset").focus()
        page.keyboard.press("Enter")
        expect(panel(page).get_by_role("button", name="No", exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        expect(panel(page).get_by_role("button", name="Reset")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(panel(page).get_by_role("button", name="Resume")).to_be_enabled()
        expect(panel(page)).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(panel(page)).to_contain_text("running")
    assert labs.ran == ["stop", "resume"]


@pytest.mark.parametrize("case", ["untouched", "route.host", "service.selector", "public.port-taken", "solved"])
def test_a_live_page_does_not_scroll_sideways_on_a_phone(chromium: Browser, serving: Serving, labs: ReplayedLabs, case: str) -> None:
    labs.show(case)
    with opened(chromium, serving.origin, viewport=PHONE) as window:
        page = visit(window, serving.address(CHAPTER_PAGE))
        expect(page.locator(".lab-verdict").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def _hostile(evidence: Evidence) -> Evidence:
    """The same cluster, with objects whose names are what no cluster would allow."""
    import msgspec

    text = msgspec.json.encode(evidence).replace(b'"name":"shop"', b'"name":' + msgspec.json.encode(HOSTILE))
    return msgspec.json.decode(text, type=Evidence)
