"""Text of others in a message: shortened, without control characters and secrets.

What a user typed may be a target with its password in the wrong place; what a server or a function
answers may be anything. Nothing of either goes into a message, a file or a page as it is.
"""

import os
import re
from collections.abc import Sequence

from loadtest.errors import printable

LONGEST = 80
"""Characters of a value that a message shows."""
_LONGEST_LINE = 300
_LONGEST_READ = 1_200
"""Characters of a line in which secrets are looked for; what is behind them is not shown."""
HIDDEN = "***"

# What gives a text away as a place where a secret may stand.
_SECRET_WORD = r"pass|pwd|secret|token(?!_expires)|credential|access_?key|api_?key|signature"  # noqa: S105
_SUSPICIOUS = re.compile(rf"://|:[^@]*@|(?:{_SECRET_WORD})[\w\s-]*[=:]", re.IGNORECASE)
# A quote that is not closed was cut off: the secret goes on to the end.
_IN_QUOTES = r"""(?:'(?:[^'\\]|\\.|'')*+(?:'|\\?$)|"(?:[^"\\]|\\.)*+(?:"|\\?$))"""
# The ways in which servers, functions and libraries quote credentials.
# As a path, an address has lost one of its slashes.
_IN_ADDRESS = re.compile(r"(:/{1,2})[^\s/?#@]*:(?!\d*[/?,])\S*@")
_ASSIGNED = re.compile(
    rf"((?<![\w-])[\w-]*(?:{_SECRET_WORD})[\w-]*+(?:[\"']\s*:\s*|\s*=\s*|:(?!\s)))"
    rf"(?:{_IN_QUOTES}|[^&;,\s]+)",
    re.IGNORECASE,
)
# In prose: PASSWORD '…' as in SQL, and a colon and a blank. Behind a mere "token: " or "credentials: "
# there usually is what is wrong with them.
_SAID = re.compile(
    rf"((?:password|passwd|passphrase|pwd)\s+)E?{_IN_QUOTES}"
    rf"|((?:password|passwd|passphrase|pwd|secret|[_-]token|access[_ ]?key|api[_ ]?key)\s*:\s+)"
    rf"(?:{_IN_QUOTES}|[^&;,\s]+)"
    rf"|(authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|digest|negotiate|token)\s+)[^\s\"',;]+"
    rf"|(\bbearer\s+)(?!auth|token\b|realm\b|scheme\b|error\b)[^\s\"',;]+",
    re.IGNORECASE,
)
_AMAZON = re.compile(r"(X-Amz-[A-Za-z-]+=)[^&\s\"']+", re.IGNORECASE)
_KEY = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"
    r"|(?<![A-Za-z0-9/+=%])(?=[a-z0-9/+=%]*[A-Z])(?=[A-Z0-9/+=%]*[a-z])[A-Za-z0-9/+=%]{100,}"
)
_SECRETS_OF_ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD")
_SHORTEST = 8
"""A secret of fewer characters is searched for as a word: as a part of words it hides everything."""


def may_hold_secret(text: str) -> bool:
    """Whether a secret may stand in this text, as in a URL, a connection string or a key."""
    return bool(_SUSPICIOUS.search(text) or _KEY.search(text) or _AMAZON.search(text))


def quoted(value: object) -> str:
    """A given value, in quotes; hidden where it may be a target or hold a secret."""
    text = str(value)
    if may_hold_secret(text):
        return repr(HIDDEN)
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    # repr shows control characters as escapes.
    return repr(short) if isinstance(value, str) else printable(short)


def one_line(text: str) -> str:
    """The first line of what another system said: printable, not too long, without secrets."""
    lines = [line for line in text.splitlines() if line.strip()] or ["no reason given"]
    first = begin = lines[0].strip()
    if len(first) > _LONGEST_READ:
        # Of the last word a part may be missing, and half a secret is not recognized.
        begin = first[:_LONGEST_READ].rpartition(" ")[0] or HIDDEN
    line = printable(without_secrets(begin))
    whole = begin is first and len(line) <= _LONGEST_LINE
    return line if whole else f"{line[: _LONGEST_LINE - 1]}…"


def without_secrets(text: str) -> str:
    """The text without passwords, keys and tokens, as servers, functions and libraries quote them."""
    text = without(text, [os.environ.get(name, "") for name in _SECRETS_OF_ENVIRONMENT])
    text = _IN_ADDRESS.sub(rf"\1{HIDDEN}@", text)
    text = _AMAZON.sub(rf"\1{HIDDEN}", text)
    text = _SAID.sub(rf"\1\2\3\4{HIDDEN}", text)
    return _KEY.sub(HIDDEN, _ASSIGNED.sub(rf"\1{HIDDEN}", text))


def without(text: str, secrets: Sequence[str]) -> str:
    """The text without these secrets, as they are and in quoted form."""
    for secret in sorted(secrets, key=len, reverse=True):
        for one in (secret, repr(secret)[1:-1], secret.strip()):
            if len(one) >= _SHORTEST:
                text = text.replace(one, HIDDEN)
            elif one:
                text = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", HIDDEN, text)
    return text


def of_arguments(message: str, words: list[str]) -> str:
    """A parser's message about these words, any of which may be a target, without secrets."""
    head, lead, rest = message.partition("unrecognized arguments:")
    if lead:
        # They may come from a file; of them only names of options are known to be harmless.
        names = re.findall(r"(?<!\S)--?[A-Za-z][A-Za-z-]*(?=[\s=]|$)", rest)
        return f"{head}{lead} {', '.join(names) or HIDDEN}"
    values = [*words, *(word.partition("=")[2] for word in words)]
    hidden = without(message, [value for value in values if may_hold_secret(value)])
    return printable(without_secrets(hidden))
