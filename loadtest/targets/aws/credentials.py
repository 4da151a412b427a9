"""What is wrong with AWS credentials, in words: how boto3 asks for them, and what it takes unseen.

A `credential_process` that is missing, prints something else or hangs, and a code that nobody is there
to type, come out of boto3 as a traceback or not at all; a line break behind a token as an error that
quotes the token.
"""

import getpass
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from botocore import credentials as providers
from botocore import exceptions as failures

from loadtest.errors.messages import one_line

PROCESS_S = 30.0
"""How long a credential_process may take."""

_PRINTS = "it must print JSON with Version 1, AccessKeyId, SecretAccessKey and perhaps SessionToken"
_RUN_IT = "run it by hand to see, and log in again if it asks for that"


_VARIABLES = {
    "access key id": ("AWS_ACCESS_KEY_ID",),
    "secret access key": ("AWS_SECRET_ACCESS_KEY",),
    "session token": ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
}


class Unusable(failures.BotoCoreError):  # type: ignore[misc]
    """There are no credentials that could be used: `cause` and `remedy` are parts of a line."""

    fmt = "{cause}"


class _Limited:
    """As much of a `subprocess.Popen` as boto3 uses, with an end."""

    def __init__(self, words: list[str], **pipes: Any) -> None:
        self._child = subprocess.Popen(words, start_new_session=True, **pipes)

    @property
    def returncode(self) -> int | None:
        return self._child.returncode

    def communicate(self) -> tuple[bytes, bytes]:
        try:
            return self._child.communicate(timeout=PROCESS_S)
        except subprocess.TimeoutExpired:
            # With all that it has started. Its pipes are let be: under gevent they are still read.
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
            raise Unusable(
                cause=f"credential_process has not ended after {PROCESS_S:g} s", remedy=_RUN_IT
            ) from None


class _Process(providers.ProcessProvider):  # type: ignore[misc]
    """Says what a credential_process did instead of printing credentials."""

    def __init__(self, profile_name: str, load_config: Any) -> None:
        super().__init__(profile_name, load_config, popen=_Limited)

    def _retrieve_credentials_using(self, credential_process: str) -> Any:
        try:
            found = super()._retrieve_credentials_using(credential_process)
            if not all(isinstance(found[name], str) for name in ("access_key", "secret_key")):
                raise TypeError
        except OSError as error:
            raise Unusable(
                cause=f"credential_process cannot be started: {error.strerror}",
                remedy="check its path in the AWS configuration",
            ) from None
        except failures.CredentialRetrievalError as error:
            said = one_line(str(error.kwargs["error_msg"]) or "it ended with an error").rstrip(".")
            raise Unusable(cause=f"credential_process: {said}", remedy=_RUN_IT) from None
        except (ValueError, TypeError, AttributeError, KeyError):
            # Not quoted: what it prints may be credentials.
            raise Unusable(
                cause="what credential_process prints are no credentials", remedy=_PRINTS
            ) from None
        return found


class _Role(providers.AssumeRoleProvider):  # type: ignore[misc]
    """Asks for a code only where somebody can type it."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **{"prompter": _ask_for_code, **more})


def _ask_for_code(prompt: str) -> str:
    try:
        if not sys.stdin.isatty():
            raise OSError
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except (OSError, ValueError, AttributeError):
        raise Unusable(
            cause="the profile's role wants an MFA code, and there is no terminal to type it on",
            remedy=(
                "take the role before, as with `aws configure export-credentials --format env`, and "
                "leave the profile out"
            ),
        ) from None
    return getpass.getpass(prompt)


# boto3 offers no other place for them; it looks them up when it needs credentials.
providers.ProcessProvider = _Process
providers.AssumeRoleProvider = _Role


def check(found: Any) -> None:
    """Refuse credentials with characters that no header can hold; raises Unusable, which shows none.

    Those that are fetched when they are first used are not fetched for this.
    """
    if found is None or isinstance(found, providers.DeferredRefreshableCredentials):
        return
    frozen = found.get_frozen_credentials()
    for name, value in (
        ("access key id", frozen.access_key),
        ("secret access key", frozen.secret_key),
        ("session token", frozen.token),
    ):
        if value is not None and (wrong := _stray(str(value))):
            raise Unusable(
                cause=f"{_place(name, str(value), found.method)} {wrong}",
                remedy="set it again without anything around it",
            )


def _stray(value: str) -> str:
    """What is wrong with a value, without any of it; "" where nothing is."""
    breaks = "\r\n\v\f\x85\u2028\u2029"
    if not value.strip():
        return "is blank"
    for verb, one in (("begins with", value[0]), ("ends in", value[-1])):
        if one in breaks:
            return f"{verb} a line break"
        if one.isspace():
            return f"{verb} a blank"
        if one in "\"'`\u201c\u201d":
            return f"{verb} a quotation mark"
    inner = next((one for one in value if not "!" <= one <= "~"), None)
    if inner is None:
        return ""
    if inner in breaks or inner.isspace():
        return f"has a {'line break' if inner in breaks else 'blank'} in it"
    return "has a character in it that no key has"


def _place(name: str, value: str, method: str) -> str:
    if method == providers.EnvProvider.METHOD:
        variables = _VARIABLES[name]
        return next((one for one in variables if os.environ.get(one) == value), variables[0])
    if method == _Process.METHOD:
        return f"the {name} that credential_process prints"
    return f"the {name} in the AWS configuration"
