"""What pages in a browser share: the browser."""

from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.rigs.browser import browser as a_browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser that all tests share; each leaves it as it was."""
    with a_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
