"""What AWS's errors mean: a SQLSTATE for the record, a cause and a remedy for the user."""

import re
from typing import NamedTuple

from botocore import exceptions as aws

from loadtest.errors import TargetError
from loadtest.errors.messages import one_line
from loadtest.targets.base.target import StatementFailed

ERRORS: tuple[type[Exception], ...] = (aws.BotoCoreError, aws.ClientError)
"""What boto3 raises, and what is raised here in its place."""

CHECK_NETWORK = "check the Region, the network, and endpoint_url= where there is one"
_CREDENTIALS = "check AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `aws configure`"
_LOG_IN = "log in again, as with `aws sso login`, or renew AWS_SESSION_TOKEN"
_REGION = "give ?region=, or set AWS_REGION"
_EXPIRED = "the AWS login has expired, or there was none"


class AwsError(aws.BotoCoreError):  # type: ignore[misc]
    """An error among boto3's that brings its own `cause` and `remedy`, the parts of a line."""

    fmt = "{cause}"


class _Meaning(NamedTuple):
    sqlstate: str
    cause: str
    """Or "", where the service's own words are shown."""
    remedy: str


_MEANINGS = {
    "ExpiredToken RequestExpired": _Meaning("28000", "the AWS session token has expired", _LOG_IN),
    # AWS quotes the request that it expected, with the session's token in it.
    "SignatureDoesNotMatch InvalidSignature IncompleteSignature": _Meaning(
        "28000",
        "AWS does not accept the signature",
        "check AWS_SECRET_ACCESS_KEY and this machine's clock",
    ),
    "UnrecognizedClient InvalidClientTokenId InvalidAccessKeyId MissingAuthenticationToken": _Meaning(
        "28000", "AWS does not know these credentials", _CREDENTIALS
    ),
    "AccessDenied UnauthorizedOperation NotAuthorized": _Meaning(
        "42501", "", "let the IAM policy of these credentials allow it"
    ),
    "Throttling Throttled TooManyRequests RequestLimitExceeded ProvisionedThroughputExceeded "
    "EC2Throttled": _Meaning("53400", "", "ask for less at a time, or have the quota raised"),
}
_MEANING_OF = {code: meaning for codes, meaning in _MEANINGS.items() for code in codes.split()}

SQLSTATES = {code: meaning.sqlstate for code, meaning in _MEANING_OF.items()}
"""The codes that many of AWS's services share, as `bare_code` gives them → SQLSTATE."""

_EXCEPTIONS: tuple[tuple[type[Exception], str, str], ...] = (
    (aws.NoCredentialsError, "there are no AWS credentials", _CREDENTIALS),
    (aws.PartialCredentialsError, "the AWS credentials are incomplete", _CREDENTIALS),
    (aws.ProfileNotFound, "", "give one of `aws configure list-profiles`"),
    (aws.UnauthorizedSSOTokenError, _EXPIRED, _LOG_IN),
    (aws.SSOTokenLoadError, _EXPIRED, _LOG_IN),
    (aws.TokenRetrievalError, _EXPIRED, _LOG_IN),
    (aws.LoginTokenLoadError, _EXPIRED, _LOG_IN),
    (aws.CredentialRetrievalError, "", _LOG_IN),
    (aws.SSOError, "", _LOG_IN),
    (aws.NoRegionError, "no AWS Region is given", _REGION),
    (aws.InvalidRegionError, "", _REGION),
    (aws.ConnectionError, "", CHECK_NETWORK),
    (aws.HTTPClientError, "", CHECK_NETWORK),
    (Exception, "", "check the AWS configuration"),
)
"""boto3's exceptions → cause, or "" where its own words are shown, and remedy; the first counts."""


def bare_code(code: str) -> str:
    """An error's code without `Exception` or `Error` at its end: both spellings are in use."""
    return re.sub("(Exception|Error)$", "", code)


def explain(error: Exception) -> tuple[str, str]:
    """(cause, remedy) of one of ERRORS, each a part of a line, without any secret."""
    if isinstance(error, AwsError):
        return error.kwargs["cause"], error.kwargs["remedy"]
    if isinstance(error, aws.ClientError):
        return _explain_answer(error)
    cause, remedy = next(rest for kind, *rest in _EXCEPTIONS if isinstance(error, kind))
    return cause or one_line(str(error)).rstrip("."), remedy


def _explain_answer(error: aws.ClientError) -> tuple[str, str]:
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    words = one_line(str(answer.get("Message") or code or error)).rstrip(".")
    if code:
        words = f"{words} ({code})"
    if known := _MEANING_OF.get(bare_code(code)):
        return known.cause or words, known.remedy
    return f"{error.operation_name}: {words}", "check what was asked for"


def target_error(lead: str, error: Exception) -> TargetError:
    """One line for one of ERRORS, behind what could not be done."""
    cause, remedy = explain(error)
    return TargetError(f"{lead}: {cause}; {remedy}")


def no_credentials(error: Exception) -> StatementFailed:
    """What a session raises for one of ERRORS: nothing could be signed, so nothing was sent.

    It counts as a connection that did not come about: a user who tried again at once would keep all
    others waiting.
    """
    return StatementFailed("28000", explain(error)[0], commit_sent=False, connected=False)
