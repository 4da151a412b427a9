"""What is wrong with AWS credentials, in words: how boto3 asks for them, and what it accepts unseen.

A `credential_process` that is missing, prints something else or hangs, and an MFA code that nothing can
type, come out of boto3 as a traceback or not at all; a line break behind a token as an error that
quotes the token.
"""

import getpass
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from typing import Any

from botocore import credentials as providers
from botocore.exceptions import CredentialRetrievalError

from loadtest.errors.messages import one_line
from loadtest.targets.aws.errors import AwsError

PROCESS_S = 30.0
"""How long a credential_process may take."""

_RUN_IT = "run it by hand to see, and log in again if it asks for that"
_VARIABLES = {
    "access key id": ("AWS_ACCESS_KEY_ID",),
    "secret access key": ("AWS_SECRET_ACCESS_KEY",),
    "session token": ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
}
_STRAY = re.compile(r"^[\"'`]|[^!-~]+|[\"'`]$")
_LINE_BREAKS = "\r\n\v\f\x85\u2028\u2029"
_QUOTATION_MARKS = "\"'`\u201c\u201d"


class _LimitedProcess(subprocess.Popen[bytes]):
    """A process that is ended, with all that it has started, when it takes too long."""

    def communicate(self, *_: Any) -> tuple[bytes, bytes]:
        try:
            return super().communicate(timeout=PROCESS_S)
        except subprocess.TimeoutExpired:
            # Its pipes are let be: under gevent they are still read.
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.wait()
            raise AwsError(
                cause=f"credential_process has not ended after {PROCESS_S:g} s", remedy=_RUN_IT
            ) from None


class _ProcessProvider(providers.ProcessProvider):  # type: ignore[misc]
    """Says what a credential_process did instead of printing credentials."""

    def __init__(self, profile_name: str, load_config: Any) -> None:
        popen = partial(_LimitedProcess, start_new_session=True)
        super().__init__(profile_name, load_config, popen=popen)

    def _retrieve_credentials_using(self, credential_process: str) -> Any:
        try:
            printed = super()._retrieve_credentials_using(credential_process)
            if not all(isinstance(printed[name], str) for name in ("access_key", "secret_key")):
                raise TypeError
        except OSError as error:
            raise AwsError(
                cause=f"credential_process cannot be started: {error.strerror}",
                remedy="check its path in the AWS configuration",
            ) from None
        except CredentialRetrievalError as error:
            words = one_line(str(error.kwargs["error_msg"]) or "it ended with an error").rstrip(".")
            raise AwsError(cause=f"credential_process: {words}", remedy=_RUN_IT) from None
        except (ValueError, TypeError, AttributeError, KeyError):
            # Not quoted: what it prints may be credentials.
            raise AwsError(
                cause="what credential_process prints are no credentials",
                remedy=(
                    "it must print JSON with Version 1, AccessKeyId, SecretAccessKey and perhaps "
                    "SessionToken"
                ),
            ) from None
        return printed


class _RoleProvider(providers.AssumeRoleProvider):  # type: ignore[misc]
    """Asks for an MFA code only on a terminal."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **{"prompter": _ask_for_code, **more})


def _ask_for_code(prompt: str) -> str:
    try:
        if not sys.stdin.isatty():
            raise OSError
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except (OSError, ValueError, AttributeError):
        raise AwsError(
            cause="the profile's role wants an MFA code, and there is no terminal to type it on",
            remedy=(
                "take the role before, as with `aws configure export-credentials --format env`, and "
                "leave the profile out"
            ),
        ) from None
    return getpass.getpass(prompt)


# boto3 offers no other way to set them; it looks them up when it needs credentials.
providers.ProcessProvider = _ProcessProvider
providers.AssumeRoleProvider = _RoleProvider


def check(credentials: Any) -> None:
    """Refuse credentials with characters that no header can hold; raises AwsError, which shows none.

    Those that are fetched when they are first used are not fetched for this.
    """
    if credentials is None or isinstance(credentials, providers.DeferredRefreshableCredentials):
        return
    values = credentials.get_frozen_credentials()[:3]
    for name, value in zip(_VARIABLES, values, strict=True):
        if value is not None and (wrong := _stray(str(value))):
            raise AwsError(
                cause=f"{_source(name, str(value), credentials.method)} {wrong}",
                remedy="set it again without anything around it",
            )


def _stray(value: str) -> str:
    """What is wrong with a value, without any of it; "" where nothing is."""
    if not value.strip():
        return "is blank"
    stray = _STRAY.search(value)
    if stray is None:
        return ""
    kind, character = "character that no key has", stray[0][-1]
    if character in _LINE_BREAKS:
        kind = "line break"
    elif character.isspace():
        kind = "blank"
    elif character in _QUOTATION_MARKS:
        kind = "quotation mark"
    if stray.start() == 0:
        return f"begins with a {kind}"
    return f"ends in a {kind}" if stray.end() == len(value) else f"has a {kind} in it"


def _source(name: str, value: str, method: str) -> str:
    if method == providers.EnvProvider.METHOD:
        variables = _VARIABLES[name]
        return next((one for one in variables if os.environ.get(one) == value), variables[0])
    if method == _ProcessProvider.METHOD:
        return f"the {name} that credential_process prints"
    return f"the {name} in the AWS configuration"
