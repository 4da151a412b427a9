"""Locust's page in a real browser: the form, its words, start and stop and start again."""

import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from loadtest.config.options import options_of
from loadtest.config.run import RunConfig
from tests.commands import check_conserved, results_in, start, wait_for
from tests.rigs.browser import needed

pytestmark = [needed, pytest.mark.slow]
WAIT_S = 120
NAMES = ("transfer int", "transfer uuid")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own page
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def page(seeded: str, tmp_path: Path, out: Path) -> Iterator[str]:
    """The address of a page whose form is filled in for the seeded accounts."""
    port = free_port()
    process = start(
        "ui", "--port", port, "--target", seeded, "--users", 4, "--accounts", 1000, "--warmup", "0",
        "--block", "500ms", "--duration", "10m", "--out", out,
        cwd=tmp_path,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_for(lambda: process.poll() is not None or answers(url), "the page")
        assert process.poll() is None, process.communicate()
        yield url
        assert process.poll() is None, "it is still there"
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


_PRESS = """
const button = [...document.querySelectorAll("button, [role=button]")].find(
    (e) => e.offsetParent && e.innerText.trim().toUpperCase().startsWith(arguments[0]));
if (button) button.click();
return Boolean(button);
"""
_TABLE = """
return [...document.querySelectorAll("table tr")]
    .map((row) => [...row.querySelectorAll("td")].map((cell) => cell.innerText.trim()))
    .filter((cells) => cells.length > 3);
"""


class Page:
    def __init__(self, browser: webdriver.Chrome) -> None:
        self._browser = browser
        self._wait = WebDriverWait(browser, WAIT_S, ignored_exceptions=[StaleElementReferenceException])

    def shows(self, words: str) -> None:
        self._wait.until(
            lambda b: words in b.find_element(By.TAG_NAME, "body").text, f"{words!r} is not shown"
        )

    def press(self, text: str) -> None:
        # Found and clicked in one step: the page is drawn anew all the time.
        self._wait.until(
            lambda b: b.execute_script(_PRESS, text.upper()), f"there is no button {text!r}"
        )

    def field(self, name: str) -> WebElement:
        found = self._wait.until(
            lambda b: next(iter(b.find_elements(By.NAME, name)), None), f"there is no field {name}"
        )
        assert isinstance(found, WebElement)
        return found

    def fill(self, name: str, text: str) -> None:
        field = self.field(name)
        self._wait.until(lambda _: field.is_displayed(), f"{name} is not shown")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)
        assert field.get_attribute("value") == text

    def requests(self) -> dict[str, int]:
        """Name → how many, from the statistics table."""
        rows: list[list[str]] = self._browser.execute_script(_TABLE)
        return {
            name: int(count.replace(",", "") or 0)
            for kind, name, count, *_ in rows
            if kind == "TXN" and name in NAMES
        }

    def has_run_both(self, before: dict[str, int]) -> None:
        """The table has requests of both key types that are not those of the run `before`."""

        def shown(_: webdriver.Chrome) -> bool:
            now = self.requests()
            return all(now.get(name, 0) > 10 and now[name] != before.get(name) for name in NAMES)

        self._wait.until(shown, "no requests of both key types in the table")


def camel(name: str) -> str:
    first, *rest = f"occ_{name}".split("_")
    return first + "".join(part.capitalize() for part in rest)


def counted(page: str) -> dict[str, int]:
    """Requests by name, as the server has them; the table may still show those of the last run."""
    with urllib.request.urlopen(f"{page}stats/requests", timeout=10) as answer:  # noqa: S310
        statistics = json.load(answer)["stats"]
    return {entry["name"]: entry["num_requests"] for entry in statistics if entry["name"] in NAMES}


def has_begun(page: str, out: Path, number: int, before: dict[str, int]) -> bool:
    """Run number so and so has its folder, and both key types were at work in it."""
    if len(results_in(out)) < number:
        return False
    now = counted(page)
    return all(now.get(name, 0) > 10 and now[name] != before.get(name) for name in NAMES)


def has_ended(out: Path, number: int) -> bool:
    return len(list(out.glob("*/report.html"))) == number


def test_a_run_from_the_page_and_another(page: str, browser: webdriver.Chrome, out: Path) -> None:
    browser.get(page)
    here = Page(browser)
    here.press("Custom parameters")
    for option in options_of(RunConfig):
        if option.in_form and not option.own_by_locust:
            here.field(camel(option.name))
    assert here.field("occAccounts").get_attribute("value") == "1000"
    assert not browser.find_elements(By.NAME, "occOut")

    here.fill("occSkew", "zipf:99")
    here.press("START")
    here.shows("zipf:99' is not one of uniform, zipf:THETA")
    assert not out.exists(), "nothing was started"
    here.fill("occSkew", "zipf:0.8")

    before: dict[str, int] = {}
    for number in (1, 2):
        here.press("START")
        wait_for(partial(has_begun, page, out, number, before), f"run {number}", WAIT_S)
        here.has_run_both(before)
        here.press("STOP")
        wait_for(partial(has_ended, out, number), f"report {number}", WAIT_S)
        before = counted(page)
        if number == 1:
            here.press("NEW")

    results = results_in(out)
    assert len(results) == 2
    for result in results:
        check_conserved(result)
        assert (result.folder / "report.html").stat().st_size > 1000
        assert set(result.summary["key_types"]) == {"int", "uuid"}
        assert result.run["config"]["skew"] == "zipf:0.8"
        assert result.summary["overall"]["committed"] > 20
