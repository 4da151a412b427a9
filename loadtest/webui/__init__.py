"""What occbench adds to Locust's page: a form that is checked before anything starts."""

from argparse import Namespace
from typing import TYPE_CHECKING

from flask import Response, jsonify, request
from locust.runners import STATE_RUNNING, STATE_SPAWNING
from locust.util.timespan import parse_timespan

from loadtest.errors import OccbenchError
from loadtest.options import LOCUST_PREFIX, config_from_locust

if TYPE_CHECKING:
    from loadtest.wiring import Wiring


def install(wiring: "Wiring") -> None:
    """Add to the environment's page, where it has one."""
    web_ui = wiring.environment.web_ui
    if web_ui is None or web_ui.app is None:
        return

    @web_ui.app.before_request
    def check_form() -> Response | None:
        """Refuse a run that cannot be done, in words, where Locust would start and then fail."""
        runner = wiring.environment.runner
        if request.method != "POST" or not request.path.endswith("/swarm") or runner is None:
            return None
        if runner.state in (STATE_RUNNING, STATE_SPAWNING):
            return None  # the number of users of a running test is being changed
        try:
            wiring.prepare(config_from_locust(_as_submitted(wiring)))
        except (OccbenchError, ValueError) as error:
            return jsonify(success=False, message=str(error), host=wiring.environment.host)
        return None


def _as_submitted(wiring: "Wiring") -> Namespace:
    """The options as the form has them; they become Locust's only when it accepts them."""
    options = Namespace(**vars(wiring.environment.parsed_options))
    for name, value in request.form.items():
        if name.startswith(LOCUST_PREFIX):
            setattr(options, name, value)
    options.num_users = int(request.form.get("user_count", options.num_users or 1))
    run_time = request.form.get("run_time")
    options.run_time = parse_timespan(run_time) if run_time else None
    return options
