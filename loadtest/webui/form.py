"""The form that starts a test: checked before anything starts, and without secrets on the page."""

import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from flask import Response, jsonify, request
from locust.runners import STATE_RUNNING, STATE_SPAWNING
from locust.util.timespan import parse_timespan
from locust.web import WebUI

from loadtest.errors import OccbenchError
from loadtest.options import LOCUST_PREFIX, config_from_locust
from loadtest.targets import parse_target

if TYPE_CHECKING:
    from loadtest.wiring import Wiring

_TARGET = LOCUST_PREFIX + "target"


def install(wiring: "Wiring", web_ui: WebUI) -> None:
    """Check what is submitted to this page."""
    environment = wiring.environment
    secrets = _hide_secrets(getattr(environment.parsed_options, _TARGET, ""))

    def check_form() -> Response | None:
        """Refuse a run that cannot be done, in words, where Locust would start and then fail."""
        runner = environment.runner
        if request.method != "POST" or not request.path.endswith("/swarm") or runner is None:
            return None
        if runner.state in (STATE_RUNNING, STATE_SPAWNING):
            return None  # the number of users of a running test is being changed
        options = Namespace(**vars(environment.parsed_options))
        for name, value in request.form.items():
            if name.startswith(LOCUST_PREFIX):
                setattr(options, name, value)
        for shown, whole in secrets.items():
            setattr(options, _TARGET, getattr(options, _TARGET).replace(shown, whole))
        try:
            options.num_users = int(request.form.get("user_count", options.num_users or 1))
            run_time = request.form.get("run_time")
            options.run_time = parse_timespan(run_time) if run_time else None
            wiring.prepare(config_from_locust(options))
        except (OccbenchError, ValueError) as error:
            return jsonify(success=False, message=str(error), host=environment.host)
        return None

    assert web_ui.app is not None  # noqa: S101 - webui.install has looked
    web_ui.app.before_request(check_form)


def _hide_secrets(targets: str) -> dict[str, str]:
    """Take passwords out of what Locust fills the form with; returns shown URL → whole URL.

    Locust reads its arguments anew whenever it draws the page.
    """
    secrets = {}
    for text in targets.split():
        url = parse_target(text).url
        shown = parse_target(text).shown
        if shown != url:
            secrets[shown] = url
            sys.argv = [word.replace(url, shown) for word in sys.argv]
            for name in ("OCC_TARGET", "LOCUST_OCC_TARGET"):
                if name in os.environ:
                    os.environ[name] = os.environ[name].replace(url, shown)
    return secrets
