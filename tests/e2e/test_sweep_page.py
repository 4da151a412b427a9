"""A sweep's page in a real browser: it fits every width, and nothing lies on anything."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from reports.write.report import write_report
from tests.sweep_folders import FakeSweep, write_fake_sweep

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="the page is tested with Debian's packages chromium and chromium-driver",
)
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-dev-shm-usage "
    "--no-first-run"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    folder = tmp_path_factory.mktemp("page")
    axes = {"users": (1, 8, 64), "accounts": (100, 1000, 10_000, 100_000)}
    page = write_report(write_fake_sweep(folder / "sweep", FakeSweep(axes=axes, limited=(2,))))
    options = webdriver.ChromeOptions()
    assert CHROMIUM is not None
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS.split(), f"--user-data-dir={folder / 'browser'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.get(Path(page).as_uri())
        yield driver
    finally:
        driver.quit()


@pytest.mark.parametrize("width", [1400, 1000, 500])
def test_nothing_stands_out_of_the_page(browser: webdriver.Chrome, width: int) -> None:
    browser.set_window_size(width, 1200)
    wide, room = browser.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert wide <= room


_OVERLAPS = """
const found = [];
for (const caption of document.querySelectorAll("figure figcaption")) {
  const drawing = caption.parentElement.querySelector("svg");
  if (drawing.getBoundingClientRect().top < caption.getBoundingClientRect().bottom - 1)
    found.push(caption.innerText);
}
return found;
"""


def test_no_caption_lies_on_its_drawing(browser: webdriver.Chrome) -> None:
    for width in (1400, 500):
        browser.set_window_size(width, 1200)
        assert browser.execute_script(_OVERLAPS) == []


def test_the_browser_has_nothing_to_complain_of(browser: webdriver.Chrome) -> None:
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
