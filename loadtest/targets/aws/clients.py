"""AWS through boto3: one client for each service, Region and profile; tokens; what its errors mean.

Sessions and clients are kept for the life of the process. A token is signed here, without a call to
AWS: 0.1 ms with a client that is kept, and 36 ms with a boto3 session for each, 500 times as long
(`python -m tests.bench.signing` measures both). Under gevent no user of the process moves meanwhile.

boto3 must not be imported before gevent has patched the standard library, so nothing that is read
before a run starts may import this module.
"""

from __future__ import annotations

import logging
from threading import RLock
from typing import Any

import boto3
import botocore.session
from botocore import exceptions as failures
from botocore.config import Config

from loadtest.errors import InputError
from loadtest.errors.messages import one_line
from loadtest.targets.aws import credentials

ERRORS: tuple[type[Exception], ...] = (failures.BotoCoreError, failures.ClientError)
"""What boto3 raises; `explain` says what each means."""


class BehindProxy(failures.BotoCoreError):  # type: ignore[misc]
    """boto3 would go through a proxy to this `host`; load does not, for it would be measured too."""

    fmt = "{host} would be reached through a proxy"


_CREDENTIALS = "check AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `aws configure`"
_LOG_IN = "log in again, as with `aws sso login`, or renew AWS_SESSION_TOKEN"
_REGION = "give ?region=, or set AWS_REGION"

# botocore logs a traceback when credentials cannot be renewed; what fails is said and recorded here.
logging.getLogger("botocore").setLevel(logging.CRITICAL)

# boto3's sessions are not safe between threads while they make a client.
_lock = RLock()
_sessions: dict[str | None, botocore.session.Session] = {}
_clients: dict[tuple[object, ...], Any] = {}
# What boto3 itself asks, of STS for one, must not take minutes where nobody answers.
_OWN_QUESTIONS = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 2})


def client(
    service: str,
    region: str | None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    *,
    attempts: int = 1,
    sslrootcert: str | None = None,
    **config: Any,
) -> Any:
    """The client of a service (`dsql`, `dynamodb`, …) in a Region; the same one for the same asking.

    Credentials come from boto3's chain: the profile, the environment, files, the machine's role.
    `attempts` is how often boto3 may ask in all; 1 turns its own retries off, which would hide
    conflicts and throttling. `sslrootcert` is as `authorities` takes it. `config` are more of
    `botocore.config.Config`'s options. Raises one of ERRORS, and InputError where `endpoint_url` is
    no URL.
    """
    verify = authorities(sslrootcert)
    asked = (service, region, profile, endpoint_url, attempts, verify, repr(sorted(config.items())))
    with _lock:
        if asked not in _clients:
            found = session(profile)
            options = Config(retries={"total_max_attempts": attempts}, **config)
            try:
                # boto3 knows services that come with it alone; the session is botocore's.
                of_boto3 = boto3.Session(botocore_session=found)
                _clients[asked] = of_boto3.client(
                    service,
                    region_name=region,
                    endpoint_url=endpoint_url,
                    verify=verify,
                    config=options,
                )
                credentials.check(found.get_credentials())
            except ValueError as error:
                raise InputError(f"{_one_line(error)}; give an endpoint as http://host:port") from None
        return _clients[asked]


def authorities(sslrootcert: str | None) -> str | None:
    """The file that `--sslrootcert` names, None for those whom boto3 trusts by itself.

    `system` is libpq's word for the authorities of this machine; boto3 brings its own along.
    """
    return None if sslrootcert == "system" else sslrootcert


def session(profile: str | None) -> botocore.session.Session:
    """What finds credentials and settings; a role of the profile is taken in the first client's Region.

    That is the Region of a target's URL, where the profile may name none.
    """
    if profile not in _sessions:
        made = botocore.session.Session(profile=profile)
        made.set_default_client_config(_OWN_QUESTIONS)
        _sessions[profile] = made
    return _sessions[profile]


def dsql_token(
    host: str, user: str, region: str, profile: str | None = None, expires_s: int = 900
) -> str:
    """A new password for a role of an Aurora DSQL cluster; raises one of ERRORS.

    `admin` needs the permission dsql:DbConnectAdmin, any other role dsql:DbConnect. `expires_s`
    counts until a connection may be opened with it; one that is open outlives it.
    """
    signer = client("dsql", region, profile)
    sign = (
        signer.generate_db_connect_admin_auth_token
        if user == "admin"
        else signer.generate_db_connect_auth_token
    )
    return str(sign(Hostname=host, Region=region, ExpiresIn=expires_s))


def rds_token(host: str, port: int, user: str, region: str, profile: str | None = None) -> str:
    """A new password, for 15 minutes, of a user of an Aurora or RDS database; raises one of ERRORS.

    The user needs the role `rds_iam` in the database, and the permission rds-db:connect.
    """
    signer = client("rds", region, profile)
    return str(
        signer.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user, Region=region)
    )


def explain(error: Exception) -> tuple[str, str]:
    """(cause, remedy) of one of ERRORS, each a part of a line, without any secret."""
    if isinstance(error, failures.ClientError):
        return _explain_answer(error)
    if isinstance(error, credentials.Unusable):
        return error.kwargs["cause"], error.kwargs["remedy"]
    if isinstance(error, BehindProxy):
        host = error.kwargs["host"]
        return f"{error}, and load does not go through one", f"add {host} to NO_PROXY"
    for kinds, cause, remedy in _MEANINGS:
        if isinstance(error, kinds):
            return cause or _one_line(error), remedy
    return _one_line(error), "check the AWS configuration"


_MEANINGS: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((failures.NoCredentialsError,), "there are no AWS credentials", _CREDENTIALS),
    ((failures.PartialCredentialsError,), "the AWS credentials are incomplete", _CREDENTIALS),
    ((failures.ProfileNotFound,), "", "give one of `aws configure list-profiles`"),
    (
        (
            failures.UnauthorizedSSOTokenError,
            failures.SSOTokenLoadError,
            failures.TokenRetrievalError,
            failures.LoginTokenLoadError,
        ),
        "the AWS login has expired, or there was none",
        _LOG_IN,
    ),
    ((failures.CredentialRetrievalError, failures.SSOError), "", _LOG_IN),
    ((failures.NoRegionError,), "no AWS Region is given", _REGION),
    ((failures.InvalidRegionError,), "", _REGION),
    (
        (failures.EndpointConnectionError, failures.ConnectionError, failures.HTTPClientError),
        "",
        "check the Region, the network, and ?endpoint_url= where there is one",
    ),
)

_ANSWERS: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"}),
        "the AWS session token has expired",
        _LOG_IN,
    ),
    (
        frozenset({"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"}),
        # AWS quotes the request that it expected, with the session's token in it.
        "AWS does not accept the signature",
        "check AWS_SECRET_ACCESS_KEY and this machine's clock",
    ),
    (
        frozenset(
            {
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                "InvalidAccessKeyId",
                "MissingAuthenticationToken",
            }
        ),
        "AWS does not know these credentials",
        _CREDENTIALS,
    ),
    (
        frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}),
        "",
        "let the IAM policy of these credentials allow it",
    ),
    (
        frozenset(
            {
                "Throttling",
                "ThrottlingException",
                "ThrottledException",
                "TooManyRequestsException",
                "RequestLimitExceeded",
                "ProvisionedThroughputExceededException",
            }
        ),
        "",
        "ask for less at a time, or have the quota raised",
    ),
)


def _explain_answer(error: failures.ClientError) -> tuple[str, str]:
    """What the service itself answered."""
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    said = _one_line(answer.get("Message") or code or error)
    for codes, cause, remedy in _ANSWERS:
        if code in codes:
            return cause or f"{said} ({code})", remedy
    called = error.operation_name
    return f"{called}: {said}{f' ({code})' if code else ''}", "check what was asked for"


def _one_line(text: object) -> str:
    """The first line, without what may be a secret, and without a full stop."""
    return one_line(str(text)).rstrip(".")
