"""The user of the machine that the server runs as, and what that user can reach."""

import os
import pwd
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import TargetError

UNPRIVILEGED = "nobody"
"""The server's user when the tool runs as root: PostgreSQL refuses to run as root."""


@dataclass(frozen=True, slots=True)
class SystemUser:
    """The user the server runs as: the one who runs the tool, or `nobody` where that is root."""

    name: str
    uid: int
    gid: int
    switched: bool
    """Whether the tool has to become this user (it is root) or is this user already."""

    def run(
        self,
        arguments: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        text: str = "",
        keep_open: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this user to its end, with `text` as its input.

        The program gets a session of its own, so that a Ctrl-C in the terminal does not reach it or
        what it leaves running. `PG…` variables of the caller would change what PostgreSQL's
        programs do, and its messages are read here, so they come in English.
        """
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        environment["LC_ALL"] = "C"
        try:
            return subprocess.run(
                [str(argument) for argument in arguments],
                cwd=cwd,
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                env=environment,
                check=False,
                start_new_session=True,
                pass_fds=keep_open,
                user=self.uid if self.switched else None,
                group=self.gid if self.switched else None,
                extra_groups=[] if self.switched else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise TargetError(
                f"{Path(arguments[0]).name} cannot be run as user {self.name} ({error}); "
                "run occbench as an ordinary user"
            ) from None

    def first_unreachable(self, paths: Iterable[Path]) -> Path | None:
        """The first of these folders and programs this user may not enter or execute.

        The kernel is asked, as that user: mode bits alone do not tell (access lists, mounts).
        """
        candidates = list(paths)
        script = 'i=0; for p in "$@"; do test -x "$p" || exit 0; i=$((i+1)); echo $i; done'
        # From /, since the shell of an unprivileged user may not be able to start where we are.
        tested = self.run(["/bin/sh", "-c", script, "sh", *candidates], cwd=Path("/"))
        reachable = len(tested.stdout.split())
        return candidates[reachable] if reachable < len(candidates) else None


def server_user() -> SystemUser:
    """The user the server is to run as; raises TargetError where there is none."""
    root = os.geteuid() == 0
    try:
        entry = pwd.getpwnam(UNPRIVILEGED) if root else pwd.getpwuid(os.geteuid())
    except KeyError:
        missing = f"user {UNPRIVILEGED!r}" if root else f"user id {os.geteuid()}"
        raise TargetError(
            f"the embedded database cannot run here: {missing} is not in this machine's list of "
            "users (/etc/passwd); run occbench as a user who is"
        ) from None
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid, switched=root)


def name_of(uid: int) -> str:
    """The name of a user of this machine, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
