"""What a test of a fault says beside its outcome: the promise, and what was measured."""

from collections.abc import Callable

import pytest

Measured = Callable[[str], None]


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Call it with what was measured, in a few words: `measured("both workers ended after 0.4 s")`."""

    def note(text: str) -> None:
        request.node.user_properties.append(("measured", text))

    return note


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep the promise of a test of this folder: the first paragraph of its docstring."""
    function = getattr(item, "function", None)
    promise = (getattr(function, "__doc__", None) or item.name).strip().split("\n\n")[0]
    item.user_properties.append(("promise", " ".join(promise.split())))
