"""Locust's user, and what Locust hears of a transaction."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from locust import User, task
from locust.env import Environment
from locust.exception import StopUser

from loadtest.config.run import RunConfig
from loadtest.engine.users.user import describe_failure, run_user
from loadtest.targets import StatementFailed

if TYPE_CHECKING:
    from loadtest.locust.wiring import Wiring

REQUEST_TYPE = "TXN"
"""What stands in the Type column of Locust's page."""


class OccUser(User):
    """A user of the run that its environment's Wiring holds."""

    # Locust's page asks for a host and warns where there is none.
    host = "see Occ Target"

    @task
    def transactions(self) -> None:
        """Everything until the user is stopped; Locust's own loop is too slow for a database."""
        wiring: Wiring = self.environment.occbench
        if wiring.engine is not None:
            run_user(wiring.engine, wiring.engine.next_user(), lambda: self._state == "running")
        raise StopUser


def request_events(
    environment: Environment, config: RunConfig
) -> Callable[[int, float, StatementFailed | None, int], None]:
    """What tells Locust that a transaction is done: one request each, whatever it took."""
    fire: Callable[..., None] = environment.events.request.fire
    names = [f"{config.scenario} {key_type}" for key_type in config.keys]

    def request(key: int, ms: float, failure: StatementFailed | None, attempts: int) -> None:
        fire(
            request_type=REQUEST_TYPE,
            name=names[key],
            response_time=ms,
            response_length=0,
            exception=describe_failure(failure, attempts) if failure else None,
            context={},
        )

    return request
