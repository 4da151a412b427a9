"""Every secret that the tests use, and the search for them in what the program printed and wrote.

A test takes its secret from here, or adds it here. What commands print (`commands.py`), tests print
within pytest's own process, and the files that either leaves behind (`conftest.py`) are searched for
all of them: a secret that shows anywhere fails the test or the session.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

SECRETS = (
    "hunter2",
    "HUNTER2",
    "geheim",
    "not-in-any-file-4711",
    "made-up-secret-of-the-rig",
    "made-up-secret-of-dynamodb-local",
    "another/made-up+secret",
    "wJalr/made+up/secret+key+of+nobody",
)
# What the program writes. Tests write what has secrets in it, as a user would, under other names:
# config, locust.conf, pgpass, services.
_WRITTEN = frozenset(
    {
        ".csv",
        ".err",
        ".html",
        ".json",
        ".log",
        ".md",
        ".out",
        ".svg",
        ".tmp",
        ".txt",
        ".xml",
        ".parquet",
    }
)


def secrets_in(text: str | bytes) -> list[str]:
    """The secrets that stand in a text, as they are or percent-encoded."""
    content = text.encode(errors="surrogateescape") if isinstance(text, str) else text
    return [
        one for one in SECRETS if one.encode() in content or quote(one, safe="").encode() in content
    ]


def check(text: str | bytes, what: str) -> None:
    """Fail if there is a secret in it."""
    found = secrets_in(text)
    assert not found, f"{what} shows {found}"


def secrets_under(folder: Path) -> Iterator[str]:
    """A line for each file below a folder that the program wrote and that has a secret in it."""
    # Other sessions of tests may be clearing up below the same folder meanwhile.
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            if path.suffix not in _WRITTEN or path.is_symlink() or not path.is_file():
                continue
            with suppress(FileNotFoundError):
                if found := secrets_in(path.read_bytes()):
                    yield f"{path} shows {found}"
