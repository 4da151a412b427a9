"""One line of what a reader must know before believing the figures."""

from dataclasses import dataclass
from typing import Literal

State = Literal["good", "bad", "note"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line: what it is about, whether it is good news, and the sentence."""

    about: str
    state: State
    text: str
