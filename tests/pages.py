"""A page that was written, read for what is in it, and what holds for every page."""

import re
from html import escape
from html.parser import HTMLParser

from reports.charts import style


class Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = text
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        return [str(attrs["id"]) for _, attrs in self.tags if "id" in attrs]

    @property
    def figures(self) -> list[str]:
        return [str(attrs["id"]) for attrs in self.named("figure")]


def check_page(page: Page) -> None:
    """It stands alone, can be heard, and the dark page can change every colour of its drawings."""
    for tag in ("script", "link", "img", "iframe"):
        assert not page.named(tag)
    assert "http" not in page.text
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    for tag, attrs in page.tags:
        address = attrs.get("href") or attrs.get("src") or "#"
        assert address.startswith("#") or tag == "a"
        assert address.startswith(("#", "data:text/csv", "points/"))
    assert len(page.ids) == len(set(page.ids))
    used = re.findall(r'href="#([^"]+)"', page.text) + re.findall(r"url\(#([^)]+)\)", page.text)
    assert set(used) <= set(page.ids)
    drawings = page.named("svg")
    assert len(drawings) == len(page.figures) > 0
    for drawing in drawings:
        assert drawing["role"] == "img"
        title, _, reading = str(drawing["aria-label"]).partition(". ")
        assert len(reading) > 20
        for text in (title, reading):
            assert escape(text, quote=False) in page.text.replace("&#34;", '"').replace("&#39;", "'")
    css, body = page.text.split("</style>", 1)
    _check_colours(css, body)
    for variable in set(re.findall(r"var\((--[a-z0-9-]+)\)", page.text)):
        assert css.count(f"{variable}:") >= 2, variable


def _check_colours(css: str, body: str) -> None:
    for what, colour in set(re.findall(r'(fill|stroke)="(#[0-9a-f]{6})"', body)):
        rule = rf'\.chart \[{what}="{colour}"\] {{ {what}: var\(--[a-z0-9-]+\); }}'
        assert re.search(rule, css), f"the dark page cannot change {what} {colour}"
    assert len({colour.light for colour in style.COLOURS}) == len(style.COLOURS)
    rest = re.sub(r'(?:fill|stroke)="#[0-9a-f]{6}"', "", body)
    assert not re.search(r"#[0-9a-f]{6}\b", rest), "a colour that the dark page cannot change"
    for drawing in re.findall(r"<svg.*?</svg>", body, re.DOTALL):
        assert "style" not in re.sub(r'aria-label="[^"]*"', "", drawing), "lost where style is refused"
