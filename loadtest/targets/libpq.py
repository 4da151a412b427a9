"""What libpq would make of a connection string, before anything is connected."""

from collections.abc import Mapping

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo


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
