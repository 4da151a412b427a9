"""What libpq would make of a connection string, before anything is connected."""

from collections.abc import Mapping

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

PATIENCE: Mapping[str, str] = {
    "tcp_user_timeout": "30000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
}
"""How long a connection may be silent before it counts as lost: half a minute. Where the other end is
gone the kernel sees to it, whose own defaults are a quarter of an hour for what was sent and two hours
for what is awaited. Where it is there and does not answer, `silence.py` does."""


def patience_s(parameters: Mapping[str, str]) -> float:
    """How long a session with these options in force waits for an answer; 0 if for ever."""
    # Through a Unix socket the kernel takes no notice of the option, and nobody has set it.
    return max(0, int(parameters.get("tcp_user_timeout") or PATIENCE["tcp_user_timeout"])) / 1000


def named(conninfo: str) -> dict[str, str]:
    """Every option in force: of the string, of the environment, of the service file in PGSERVICE.

    An option that has libpq's own default is left out. Raises psycopg.ProgrammingError where the
    string is none that libpq can read.
    """
    found = {
        option.keyword.decode(): option.val.decode(errors="replace")
        for option in pq.Conninfo.get_defaults()
        if option.val and option.val != option.compiled
    }
    return {**found, **{name: str(value) for name, value in conninfo_to_dict(conninfo).items()}}


def with_defaults(conninfo: str, there: Mapping[str, str], defaults: Mapping[str, str]) -> str:
    """The string with those of the defaults that are not there; untouched where all are."""
    missing = {name: value for name, value in defaults.items() if name not in there}
    return make_conninfo(conninfo, **missing) if missing else conninfo
