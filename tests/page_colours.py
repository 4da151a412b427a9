"""Whether the style sheet can change every colour of a page's drawings, and each is seen without."""

import re

from reports.charts import style


def check_colours(css: str, body: str) -> None:
    for what, colour in set(re.findall(r'(fill|stroke)="(#[0-9a-f]{6})"', body)):
        rule = rf'\.chart \[{what}="{colour}"\] {{ {what}: var\(--[a-z0-9-]+\); }}'
        assert re.search(rule, css), f"the dark page cannot change {what} {colour}"
    assert len({colour.light for colour in style.COLOURS}) == len(style.COLOURS)
    rest = re.sub(r'(?:fill|stroke)="#[0-9a-f]{6}"', "", body)
    assert not re.search(r"#[0-9a-f]{6}\b", rest), "a colour that the dark page cannot change"
    for drawing in re.findall(r"<svg.*?</svg>", body, re.DOTALL):
        assert "style" not in re.sub(r'aria-label="[^"]*"', "", drawing), "lost where style is refused"
