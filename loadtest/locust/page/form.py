"""The form that starts a test: checked before anything starts, and without secrets on the page."""

from argparse import Namespace
from collections.abc import Callable

from flask import Response, jsonify, request
from locust.runners import STATE_RUNNING, STATE_SPAWNING
from locust.util.timespan import parse_timespan
from locust.web import WebUI

from loadtest.errors import OccbenchError
from loadtest.errors.messages import without_secrets
from loadtest.locust.arguments import LOCUST_PREFIX
from loadtest.locust.wiring import FIXED_USERS, Wiring
from loadtest.targets.registry import shown_target

_TARGET = LOCUST_PREFIX + "target"


def install(wiring: Wiring, web_ui: WebUI) -> None:
    """Check what is submitted to this page."""
    environment = wiring.environment
    secrets = _hide_secrets(web_ui)

    def check_form() -> Response | None:
        """Refuse a run that cannot be done, in words, where Locust would start and then fail."""
        runner = environment.runner
        if request.method == "POST" and request.path.endswith("/stop"):
            wiring.is_starting = False
        if request.method != "POST" or not request.path.endswith("/swarm") or runner is None:
            return None
        if wiring.is_starting or runner.state in (STATE_RUNNING, STATE_SPAWNING):
            return jsonify(success=False, message=FIXED_USERS, host=environment.host)
        wiring.is_starting = True
        options = Namespace(**vars(environment.parsed_options))
        for name, value in request.form.items():
            if name.startswith(LOCUST_PREFIX):
                setattr(options, name, value)
        words = [secrets.get(word, word) for word in getattr(options, _TARGET).split()]
        setattr(options, _TARGET, " ".join(words))
        try:
            options.spawn_rate = float(request.form.get("spawn_rate") or options.spawn_rate or 1)
            options.num_users = int(request.form.get("user_count", options.num_users or 1))
            run_time = request.form.get("run_time")
            options.run_time = parse_timespan(run_time) if run_time else None
            wiring.preparation.prepare_from_locust(options)
        except BaseException as error:
            wiring.is_starting = False
            if not isinstance(error, OccbenchError | ValueError):
                raise
            message = without_secrets(str(error))
            return jsonify(success=False, message=message, host=environment.host)
        return None

    def note_refusal(response: Response) -> Response:
        """Locust has words of its own for some forms; no run starts then."""
        if request.path.endswith("/swarm") and response.is_json:
            answer = response.json or {}
            if not answer.get("success") and answer.get("message") != FIXED_USERS:
                wiring.is_starting = False
        return response

    assert web_ui.app is not None  # noqa: S101 - webui.install has looked
    web_ui.app.before_request(check_form)
    web_ui.app.after_request(note_refusal)


def _hide_secrets(web_ui: WebUI) -> dict[str, str]:
    """Keep passwords out of what Locust fills the form with; gives what is shown → whole target.

    Locust reads its arguments anew, from wherever they came, whenever it draws the page.
    """
    whole: dict[str, str] = {}

    def public(word: str) -> str:
        shown = shown_target(word)
        if shown != word:
            while whole.setdefault(shown, word) != word:
                shown += "*"  # another one is shown alike
        return shown

    fill: Callable[[], None] = web_ui.update_template_args

    def fill_without_secrets() -> None:
        fill()
        field = web_ui.template_args["extra_options"][_TARGET]
        field["default_value"] = " ".join(map(public, str(field["default_value"]).split()))

    web_ui.update_template_args = fill_without_secrets  # type: ignore[method-assign]
    return whole
