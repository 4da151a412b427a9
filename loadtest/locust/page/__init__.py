"""What occbench adds to Locust's page: a form that is checked, and a tab about contention."""

from loadtest.locust.page import form, tab
from loadtest.locust.wiring import Wiring


def install(wiring: Wiring) -> None:
    """Add to the environment's page, where it has one."""
    web_ui = wiring.environment.web_ui
    if web_ui is not None and web_ui.app is not None:
        form.install(wiring, web_ui)
        tab.install(wiring, web_ui)
