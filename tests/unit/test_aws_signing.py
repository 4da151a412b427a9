"""Signatures of requests, held against botocore's own."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError
from hypothesis import given
from hypothesis import strategies as st

from loadtest.targets.aws.endpoint import host_header
from loadtest.targets.aws.signing import RequestKind, Signer
from loadtest.targets.aws_lambda.session import invoke_request
from loadtest.targets.dynamodb import requests
from tests.commands import wait_for

STAMP = "20260131T000000Z"
SCAN = requests.SCAN


def signer_of(credentials: Any, url: str = "https://x", service: str = "dynamodb") -> Signer:
    parts = urlsplit(url)
    return Signer(
        credentials,
        service=service,
        region="us-east-1",
        host=host_header(parts),
        base=parts.path.rstrip("/"),
    )


def read(head: bytes) -> tuple[str, dict[str, str]]:
    text = head.decode()
    assert text.endswith("\r\n\r\n")
    assert text.count("\r\n\r\n") == 1
    first, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines)


def check_botocore_agrees(
    signer: Signer,
    credentials: Credentials,
    url: str,
    service: str,
    kind: RequestKind,
    body: bytes,
) -> None:
    """The head is what botocore would send, and of the moment at which botocore signed."""
    where = url.rstrip("/") + kind.path
    request = AWSRequest("POST", where, headers=dict(kind.headers), data=body)
    SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    first, headers = read(signer.head_at(request.headers["X-Amz-Date"], kind, body))
    assert first == f"POST {urlsplit(where).path} HTTP/1.1"
    assert headers.pop("Host") == host_header(urlsplit(url))
    assert headers.pop("Content-Length") == str(len(body))
    assert headers == dict(request.headers.items())


@pytest.mark.parametrize("token", [None, "a-session/token+with=signs"])
@pytest.mark.parametrize("url", ["https://dynamodb.us-east-1.amazonaws.com/", "http://x:8000/"])
def test_a_signature_for_dynamodb_is_botocores(token: str | None, url: str) -> None:
    """Three times, for what a signer keeps between requests must not change the next."""
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token)
    signer = signer_of(credentials, url)
    for kind, body in ((SCAN, b'{"a":1}'), (requests.TRANSACT_WRITE, b"{}"), (SCAN, b"[]")):
        check_botocore_agrees(signer, credentials, url, "dynamodb", kind, body)


@pytest.mark.parametrize("token", [None, "a-session/token+with=signs"])
@pytest.mark.parametrize(
    "url", ["https://lambda.us-east-1.amazonaws.com", "http://[::1]:80/a%20b/../c/"]
)
@pytest.mark.parametrize("function", ["transfer", "f:$LATEST", "arn:aws:lambda:us-east-1:1:function:f"])
def test_a_signature_for_lambda_is_botocores(token: str | None, url: str, function: str) -> None:
    """Its path is encoded, its headers stand on both sides of the date, and of the token."""
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token)
    signer = signer_of(credentials, url, "lambda")
    more = {"X-Amz-Client-Context": "e30=", "X-Amz-Invocation-Type": "DryRun", "X-Amz-Log-Type": "Tail"}
    for headers in ({}, more):
        kind = invoke_request(function, headers)
        check_botocore_agrees(signer, credentials, url, "lambda", kind, b"{}")


SEGMENT = st.text(max_size=8)
VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
NAMES = st.sampled_from(
    ("A", "Date-2", "Invocation-Type", "Security", "Security-Token-2", "Target", "Z")
)


@given(st.lists(SEGMENT, max_size=3), st.dictionaries(NAMES, VALUE), st.binary(max_size=20))
def test_any_request_is_signed_as_botocore_signs_it(
    segments: list[str], values: dict[str, str], body: bytes
) -> None:
    credentials = Credentials("AKIDEXAMPLE", "secret", "token")
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    headers = {f"X-Amz-{name}": " ".join(value.split()) for name, value in values.items()}
    url = "https://s.example"
    kind = RequestKind("Any", path, headers)
    check_botocore_agrees(signer_of(credentials, url, "s"), credentials, url, "s", kind, body)


def test_what_is_sent_is_what_is_signed() -> None:
    """Neither spaces nor a line's end, wherever they come from, make another header of it."""
    credentials = Credentials("KEY\n", "secret", "token\r\nX-Evil: 1\n")
    kind = RequestKind("Any", headers={"X-Amz-Target": "  a \n  b "})
    _, headers = read(signer_of(credentials).head_at(STAMP, kind, b""))
    assert headers["X-Amz-Target"] == "a b"
    assert headers["X-Amz-Security-Token"] == "token X-Evil: 1"
    assert "X-Evil" not in headers
    assert "Credential=KEY/20260131/" in headers["Authorization"]


def test_what_may_be_changed_on_the_way_is_sent_but_not_signed() -> None:
    kind = RequestKind("Any", headers={"User-Agent": "occbench", "X-Amzn-Trace-Id": "1", "Accept": "*"})
    signer = signer_of(Credentials("A", "b"))
    _, headers = read(signer.head_at(STAMP, kind, b""))
    _, bare = read(signer.head_at(STAMP, RequestKind("Bare"), b""))
    assert (headers["User-Agent"], headers["X-Amzn-Trace-Id"], headers["Accept"]) == (
        "occbench",
        "1",
        "*",
    )
    assert "SignedHeaders=host;x-amz-date," in headers["Authorization"]
    assert headers["Authorization"] == bare["Authorization"]


def test_the_head_is_of_now() -> None:
    _, headers = read(signer_of(Credentials("A", "b")).head(SCAN, b""))
    stamped = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= datetime.now(UTC) - stamped < timedelta(minutes=1)


def test_renewed_credentials_are_used() -> None:
    credentials = Credentials("FIRST", "one")
    signer = signer_of(credentials)
    before = signer.head_at(STAMP, SCAN, b"{}")
    credentials.access_key, credentials.secret_key, credentials.token = "SECOND", "two", "t"
    after = signer.head_at(STAMP, SCAN, b"{}")
    assert before != after == signer_of(Credentials("SECOND", "two", "t")).head_at(STAMP, SCAN, b"{}")
    credentials.token = "u"
    again = signer.head_at(STAMP, SCAN, b"{}")
    assert after != again == signer_of(Credentials("SECOND", "two", "u")).head_at(STAMP, SCAN, b"{}")


def test_renewed_credentials_are_used_within_a_second_or_so() -> None:
    credentials = Credentials("FIRST", "one")
    signer = signer_of(credentials)
    assert b"Credential=FIRST/" in signer.head(SCAN, b"{}")
    credentials.access_key = "SECOND"
    wait_for(lambda: b"Credential=SECOND/" in signer.head(SCAN, b"{}"), "the new key")


def temporary(lifetimes: Iterator[timedelta]) -> RefreshableCredentials:
    """botocore's own temporary credentials, numbered as they are renewed."""
    made = 0

    def renew() -> dict[str, str]:
        nonlocal made
        made += 1
        until = datetime.now(UTC) + next(lifetimes)
        return {
            "access_key": f"KEY{made}",
            "secret_key": f"secret{made}",
            "token": f"token{made}",
            "expiry_time": until.isoformat(),
        }

    created = RefreshableCredentials.create_from_metadata(renew(), refresh_using=renew, method="test")
    assert isinstance(created, RefreshableCredentials)
    return created


def test_temporary_credentials_are_renewed_before_they_expire() -> None:
    """In a minute, so that they are renewed at once, and then not again for an hour."""
    signer = signer_of(temporary(iter((timedelta(minutes=1), timedelta(hours=1)))))
    fresh = signer_of(Credentials("KEY2", "secret2", "token2"))
    for _ in range(3):
        assert signer.head_at(STAMP, SCAN, b"{}") == fresh.head_at(STAMP, SCAN, b"{}")


def test_credentials_that_are_renewed_with_what_has_expired_are_an_error_of_aws() -> None:
    signer = signer_of(temporary(iter([timedelta(minutes=-1)] * 5)))
    for _ in range(3):
        with pytest.raises(CredentialRetrievalError, match="still expired"):
            signer.head(SCAN, b"{}")


def test_a_signature_is_of_its_day() -> None:
    signer = signer_of(Credentials("A", "b"))
    signer.head_at("20260131T235959Z", SCAN, b"{}")
    later = "20260201T000000Z"
    assert signer.head_at(later, SCAN, b"{}") == signer_of(Credentials("A", "b")).head_at(
        later, SCAN, b"{}"
    )


@contextmanager
def eager_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_threads_may_share_a_signer() -> None:
    """Each at another moment, of two days: the keys of one must not sign for another."""
    stamps = ("20260131T235959Z", "20260201T000000Z")
    wanted = {at: signer_of(Credentials("A", "b")).head_at(at, SCAN, b"{}") for at in stamps}
    shared = signer_of(Credentials("A", "b"))
    wrong: list[bytes] = []
    together = threading.Barrier(4)

    def work(at: str) -> None:
        together.wait()
        for _ in range(2_000):
            head = shared.head_at(at, SCAN, b"{}")
            if head != wanted[at]:
                wrong.append(head)

    with eager_threads():
        threads = [threading.Thread(target=work, args=(at,)) for at in stamps * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
