"""The console in a real browser: what on call and reviewers see, click and write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from watchkeeper_shared.testing.servers.programs import find_program
from watchkeeper_shared.testing.servers.unavailable import ServerUnavailable, skip

pytestmark = pytest.mark.browser

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Visit:
    """A person's browser, and what it complained about."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page of the console."""
        answer = self.page.goto(self.url + path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"

    def text(self) -> str:
        """What stands on the page."""
        return self.page.inner_text("body")

    def log_in(self, token: str) -> None:
        """Give the API key."""
        self.page.goto(self.url + "/")
        self.page.fill("input[name=token]", token)
        self.page.click("main button[type=submit], form[action^='/login'] button")
        self.page.wait_for_url(self.url + "/")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    try:
        program = find_program("chromium", "chromium")
    except ServerUnavailable as missing:
        skip(missing)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(program), args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def up(launch: Any, tmp_path: Path, make_world: Callable[..., Any]) -> tuple[Any, str, str]:
    """A Watchkeeper with a drifted system, its first key and its address."""
    env = {"WATCHKEEPER_REJUDGE_INTERVAL": "1s", "WATCHKEEPER_EVIDENCE_REPORTS": "false"}
    served = launch("up", "--data", tmp_path / "data", "--port", 0, env=env)
    token = (tmp_path / "data" / "admin.token").read_text().strip()
    world = make_world(token, served.url)
    world.declare(tmp_path)
    world.stream(range(3))
    world.stream(range(3, 5), drifted=True)
    world.stream(range(5, 6), drifted=True)
    world.expect("a ticket is open", world.tickets)
    return world, token, served.url


@pytest.fixture
def visit(up: tuple[Any, str, str], chromium: Browser) -> Iterator[Visit]:
    """Somebody who came to look; scripts are off, because no page needs any."""
    _, token, url = up
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    one = Visit(page, url)
    page.on("console", lambda message: one.complaints.append(message.text))
    page.on("requestfailed", lambda request: one.complaints.append(request.url))
    one.log_in(token)
    yield one
    context.close()


def test_a_person_goes_from_the_fleet_to_the_ticket_and_decides(
    visit: Visit, up: tuple[Any, str, str]
) -> None:
    world, _, _ = up
    (ticket,) = world.tickets()

    assert world.system in visit.text()
    visit.go(f"/tickets/{ticket['id']}")
    assert "psi of AGE" in visit.text()
    assert "reports are turned off" in visit.text().lower() or "missing" in visit.text().lower()
    _act(visit, "I am looking at it", "Acknowledge")
    _act(visit, "The new branch sends older customers", "Comment")
    _act(visit, "Expected: the branch opened in March", "Close")

    assert "closed" in visit.text()
    assert world.alerting.get(f"/v1/tickets/{ticket['id']}")["state"] == "closed"
    assert [act for act in world.acts() if act.startswith("ticket.")] == [
        "ticket.acknowledge",
        "ticket.comment",
        "ticket.close",
    ]
    assert visit.complaints == []


def test_every_page_of_a_system_can_be_looked_at(visit: Visit, up: tuple[Any, str, str]) -> None:
    world, _, _ = up

    for path in ("/", f"/systems/{world.system}", "/alerts", "/tickets", "/audit"):
        visit.go(path)
    visit.go(f"/systems/{world.system}/series?metric=psi&column=AGE")

    assert visit.page.query_selector("svg.chart .limit.breach") is not None
    assert len(visit.page.query_selector_all("svg.chart .mark.breach")) >= 2
    assert visit.complaints == []


def _act(visit: Visit, text: str, button: str) -> None:
    visit.page.fill("textarea", text)
    visit.page.click(f"button:has-text('{button}')")
    visit.page.wait_for_load_state()
    assert text in visit.text()
