"""Which formats there are, known without drawing anything."""

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import words_of

FORMATS = ("html", "md", "pdf", "png", "svg")
"""What a report can be written as; `html` is the page, which has a template of its own."""


def parse_formats(text: str) -> tuple[str, ...]:
    """A list of formats from its commas, each once, in the order of `FORMATS`.

    Raises:
        InputError: if one is not known, or there is none.
    """
    asked = words_of(text.lower())
    for word in asked:
        if word not in FORMATS:
            raise InputError(
                f"--format {text}: there is no {quoted(word)}; there are {', '.join(FORMATS)}"
            )
    if not asked:
        raise InputError(f"--format is empty; give one or more of {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in asked)
