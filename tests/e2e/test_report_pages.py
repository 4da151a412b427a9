"""Reports' pages in a real browser: without their style sheet, on a phone, on paper, in the dark."""

import http.server
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from reports import write_report
from reports.charts import style
from reports.statistics.comparison.comparison import compare_runs
from reports.write import write_comparison, write_overview
from tests.rigs.browser import needed
from tests.run_folders import FakeRun, write_fake_run
from tests.sweep_folders import FakeSweep, write_fake_sweep

pytestmark = [needed, pytest.mark.slow]
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
            seed=place + 1, users=8 + place // 2, tps=100, duration_s=10, run={"label": label}
        )
        runs.append(write_fake_run(folder / name, fake))
    write_report(folder / "run")
    axes = {"users": (1, 8, 64), "accounts": (100, 1000, 10_000, 100_000)}
    write_fake_sweep(folder / "sweep", FakeSweep(axes=axes, limited=(2,)))
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
    assert browser.find_element(By.TAG_NAME, "svg").size["width"] < 1300


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


@pytest.fixture
def sweep_page(browser: webdriver.Chrome, pages: Path) -> webdriver.Chrome:
    """The browser with a sweep's page, at a window's own width."""
    browser.get((pages / "sweep/report.html").as_uri())
    return browser


@pytest.mark.parametrize("width", [1400, 1000, 500])
def test_nothing_stands_out_of_a_sweeps_page(sweep_page: webdriver.Chrome, width: int) -> None:
    sweep_page.set_window_size(width, 1200)
    wide, room = sweep_page.execute_script(
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


def test_no_caption_lies_on_its_drawing(sweep_page: webdriver.Chrome) -> None:
    for width in (1400, 500):
        sweep_page.set_window_size(width, 1200)
        assert sweep_page.execute_script(_OVERLAPS) == []


def test_the_browser_has_nothing_to_complain_of(browser: webdriver.Chrome, pages: Path) -> None:
    browser.get_log("browser")  # type: ignore[no-untyped-call]  # of the pages before
    for page in PAGES:
        browser.get((pages / page).as_uri())
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_the_browser_saves_a_charts_figures(
    browser: webdriver.Chrome, pages: Path, tmp_path: Path
) -> None:
    browser.set_window_size(1300, 1100)
    saving = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", saving)
    browser.get((pages / "run/report.html").as_uri())
    link = browser.find_element(By.CSS_SELECTOR, "#throughput .take")
    title = browser.find_element(By.CSS_SELECTOR, "#throughput h3")
    reading = browser.find_element(By.CSS_SELECTOR, "#throughput figcaption p")
    assert link.accessible_name == "The figures of Throughput over time as CSV"
    assert abs(link.rect["y"] - title.rect["y"]) < 8, "on the title's line"
    assert link.rect["y"] + link.rect["height"] <= reading.rect["y"] + 2, "over no text"
    link.click()
    saved = tmp_path / "throughput.csv"
    deadline = time.monotonic() + 60
    while not saved.exists():
        assert time.monotonic() < deadline, "nothing was saved"
        time.sleep(0.05)
    lines = saved.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "key_type,time_s,throughput_tps"
    assert {line.split(",")[0] for line in lines[1:]} == {"int", "uuid", "warm-up"}
