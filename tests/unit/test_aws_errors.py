"""What AWS's errors mean, in a cause and a remedy."""

from pathlib import Path

import pytest
from botocore import exceptions as failures

from loadtest.errors import InputError
from loadtest.errors.messages import without_secrets
from loadtest.targets.aws import clients
from loadtest.targets.aws.errors import ERRORS, explain

TOKEN = "IQoJb3JpZ2luX2VjE" * 12


def answered(code: str, message: str) -> failures.ClientError:
    return failures.ClientError({"Error": {"Code": code, "Message": message}}, "GetCluster")


@pytest.mark.parametrize(
    ("error", "cause", "remedy"),
    [
        (failures.NoCredentialsError(), "there are no AWS credentials", "AWS_PROFILE"),
        (
            failures.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "incomplete",
            "AWS_SECRET_ACCESS_KEY",
        ),
        (failures.ProfileNotFound(profile="dev"), "(dev)", "list-profiles"),
        (failures.UnauthorizedSSOTokenError(), "expired", "aws sso login"),
        (failures.SSOTokenLoadError(error_msg="no file"), "expired", "aws sso login"),
        (
            failures.TokenRetrievalError(provider="sso", error_msg=f"not {TOKEN}"),
            "expired",
            "aws sso login",
        ),
        (
            failures.CredentialRetrievalError(provider="process", error_msg="it ended with 1"),
            "it ended with 1",
            "log in again",
        ),
        (failures.NoRegionError(), "no AWS Region is given", "?region="),
        (failures.InvalidRegionError(region_name="us east"), "us east", "?region="),
        (
            failures.EndpointConnectionError(endpoint_url="https://dsql.us-east-9.api.aws"),
            "us-east-9",
            "check the Region",
        ),
        (answered("ExpiredTokenException", f"{TOKEN} has expired"), "has expired", "log in again"),
        (
            answered("SignatureDoesNotMatch", f"should have been\nX-Amz-Security-Token={TOKEN}"),
            "does not accept the signature",
            "clock",
        ),
        (answered("UnrecognizedClientException", "invalid"), "does not know", "AWS_ACCESS_KEY_ID"),
        (
            answered(
                "AccessDeniedException", "User: arn:x is not authorized to perform: dsql:GetCluster."
            ),
            "not authorized to perform: dsql:GetCluster (AccessDeniedException)",
            "IAM policy",
        ),
        (answered("ThrottlingException", "Rate exceeded"), "Rate exceeded", "ask for less"),
        (
            answered("ValidationException", "bad value"),
            "GetCluster: bad value (ValidationException)",
            "check",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_an_error_means(error: Exception, cause: str, remedy: str) -> None:
    assert isinstance(error, ERRORS)
    found = explain(error)
    assert cause in found[0]
    assert remedy in found[1]
    for part in found:
        assert "\n" not in part
        assert not part.endswith(".")
        assert TOKEN not in part


def test_boto3_itself_says_that_there_is_no_region(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(clients, "_sessions", {})
    monkeypatch.setattr(clients, "_clients", {})
    with pytest.raises(ERRORS) as caught:
        clients.client("dynamodb", None)
    assert explain(caught.value)[0] == "no AWS Region is given"


def test_an_endpoint_that_is_no_url() -> None:
    with pytest.raises(InputError, match="http://host:port"):
        clients.client("dynamodb", "us-east-1", endpoint_url="localhost:8000")


@pytest.mark.parametrize(
    "text",
    [
        "h/?Action=DbConnect&X-Amz-Credential={s}%2F2026&X-Amz-Signature={s}",
        "key AKIA{s} is unknown",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    secret = "ABCDEFGHIJKL0123"
    assert secret not in without_secrets(text.format(s=secret))


def test_what_is_no_secret_stays() -> None:
    text = "postgresql://u@h/db?sslrootcert=/srv/certificates/of/the/authority/root.pem"
    assert without_secrets(text) == text
