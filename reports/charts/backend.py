"""matplotlib, without what the environment says about it: a record gives the same page everywhere.

Importing this module imports matplotlib. To be imported before anything that draws.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from loadtest.errors import InputError


@contextmanager
def _among_its_own_settings() -> Iterator[None]:
    """matplotlib takes the settings of the current folder first, and after those of a user's own."""
    spec = find_spec("matplotlib")
    assert spec is not None  # noqa: S101 - the package depends on it
    assert spec.origin is not None  # noqa: S101
    here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
    try:
        os.chdir(Path(spec.origin).parent / "mpl-data")
        yield
    finally:
        os.fchdir(here)
        os.close(here)


def _import_alone() -> None:
    # What it says of folders that it cannot write to is of no use to a reader.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    os.environ.pop("MPLBACKEND", None)
    try:
        with _among_its_own_settings():
            import matplotlib as mpl
    except Exception as error:
        raise _impossible(error) from error
    try:
        mpl.get_cachedir()
    except OSError:
        # Nowhere a folder for its list of fonts, neither at home nor for what is temporary: it then
        # makes the list anew each time, and cannot keep it here either.
        mpl.get_cachedir = lambda: os.devnull


def check() -> None:
    """See that charts can be drawn here; raises InputError. To be called before any load."""
    try:
        from reports.charts.figure import canvas

        canvas()
    except Exception as error:
        raise _impossible(error) from error


def _impossible(error: Exception) -> InputError:
    return InputError(f"no report can be drawn here: {type(error).__name__}: {error}")


_import_alone()
