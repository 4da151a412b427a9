"""Reports' pages in a real browser: without their style sheet, on a phone, on paper, in the dark."""

import http.server
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from reports import write_report
from reports.charts import style
from reports.statistics.comparison.comparison import compare_runs
from reports.write.report import write_comparison, write_overview
from tests.run_folders import FakeRun, write_fake_run
from tests.sweep_folders import FakeSweep, write_fake_sweep

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="pages are tested with Debian's packages chromium and chromium-driver",
    ),
    pytest.mark.slow,
]
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync --window-size=1200,900"
)
PAGES = ("run/report.html", "sweep/report.html", "compare.html", "together.html")
POLICY = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self'"
"""What Jenkins sends with the files of a build."""


class Strict(http.server.SimpleHTTPRequestHandler):
    """Serves a folder as Jenkins does: no script, and no style that is not a file of its own."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    runs = []
    for place, name in enumerate(("run", "second", "third", "fourth", "fifth", "sixth")):
        label = f"a-branch-with-a-name-that-is-rather-long-{place}"
        fake = FakeRun(
            seed=place + 1, users=8 + place // 2, tps=300, duration_s=20, run={"label": label}
        )
        runs.append(write_fake_run(folder / name, fake))
    write_report(folder / "run")
    write_fake_sweep(folder / "sweep", FakeSweep())
    write_report(folder / "sweep")
    write_overview([folder / path.name for path in runs], folder / "together.html")
    write_comparison(compare_runs([folder / "run"], [folder / "second"]), folder / "compare.html")
    return folder


@pytest.fixture(scope="module")
def served(pages: Path) -> Iterator[str]:
    handler = partial(Strict, directory=str(pages))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


PAINTS = """
const found = new Set();
for (const drawing of document.querySelectorAll("svg.chart"))
  for (const one of drawing.querySelectorAll("path, use, rect, text")) {
    const look = getComputedStyle(one);
    // What is only defined takes its colours where it is used; what is hollow is not seen.
    if (one.closest("defs")) continue;
    if (look.fillOpacity !== "0") found.add(look.fill);
    found.add(look.stroke);
  }
return [...found];
"""
OUTSIDE = """
return [...document.querySelectorAll("th, td")].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && getComputedStyle(one).clipPath === "none"
    && !one.closest("thead") && (box.right > innerWidth + 1 || box.left < -1);
}).map(one => one.textContent);
"""


def colours(browser: webdriver.Chrome) -> set[str]:
    """Every plain colour in which something of a chart is painted."""
    return {paint for paint in browser.execute_script(PAINTS) if paint.startswith("rgb(")}


def rgb(hexadecimal: str) -> str:
    return f"rgb({', '.join(str(int(hexadecimal[i : i + 2], 16)) for i in (1, 3, 5))})"


LIGHT, DARK = ({rgb(getattr(c, which)) for c in style.COLOURS} for which in ("light", "dark"))


@pytest.mark.parametrize("page", PAGES)
def test_charts_are_as_drawn_where_inline_style_is_refused(
    browser: webdriver.Chrome, served: str, page: str
) -> None:
    browser.get(f"{served}/{page}")
    assert browser.execute_script("return getComputedStyle(document.body).fontFamily").count(",") == 0
    found = colours(browser)
    assert len(found & LIGHT) >= 4
    assert "rgb(0, 0, 0)" not in found, "what has no colour is black"
    assert browser.find_element(By.TAG_NAME, "svg").size["width"] < 1200


@pytest.mark.parametrize("page", PAGES)
def test_charts_take_the_colours_of_the_dark_page(
    browser: webdriver.Chrome, pages: Path, page: str
) -> None:
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    try:
        browser.get((pages / page).as_uri())
        found = colours(browser)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert len(found & DARK) >= 4
    assert not found & LIGHT - DARK


@pytest.mark.parametrize(("width", "media"), [(400, ""), (1200, ""), (688, "print")])
@pytest.mark.parametrize("page", PAGES)
def test_no_cell_lies_outside(
    browser: webdriver.Chrome, pages: Path, page: str, width: int, media: str
) -> None:
    """On a phone, on a small screen, and on A4: what is beside the paper is lost."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
    try:
        browser.get((pages / page).as_uri())
        assert browser.execute_script("return innerWidth") == width
        assert browser.execute_script(OUTSIDE) == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
