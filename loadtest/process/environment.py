"""Settings of libraries that the environment must not decide for a run."""

import os

_PREFIXES = ("LOCUST_", "GEVENT", "PSYCOPG_")
_NAMES = ("LIBEV_FLAGS", "PURE_PYTHON", "PYZMQ_BACKEND", "MSGPACK_PUREPYTHON")


def forget_settings_of_libraries() -> None:
    """Forget the settings of the libraries that make load, before any of them is imported.

    They are those of another project, and would change what is measured (other processes, other users,
    a slower event loop) without a word in the report. What this process starts does without them, too.
    """
    for name in [*os.environ]:
        if name.startswith(_PREFIXES) or name in _NAMES:
            del os.environ[name]
