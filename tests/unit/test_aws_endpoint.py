"""Where connections go: address, credentials, authorities, and no proxy."""

import os
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import NoCredentialsError

from loadtest.errors import InputError
from loadtest.targets.aws import clients
from loadtest.targets.aws.endpoint import HttpEndpoint, Once, find_endpoint, host_header
from loadtest.targets.aws.errors import AwsError, explain
from loadtest.targets.aws.signing import RequestKind
from tests.rigs.certificates import Authority

ANY = RequestKind("Any")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy") or name == "REQUESTS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(clients, "_clients", {})
    monkeypatch.setattr(clients, "_sessions", {})


def find(
    url: str | None = None, sslrootcert: str | None = None, service: str = "lambda"
) -> HttpEndpoint:
    client = clients.client(service, "eu-west-1", endpoint_url=url)
    return find_endpoint(client, profile=None, sslrootcert=sslrootcert, timeout_s=7)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://dynamodb.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com"),
        ("https://x:443", "x"),
        ("http://x:443", "x:443"),
        ("http://x:80", "x"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://me:geheim@x:8000", "x:8000"),
    ],
)
def test_the_host_header(url: str, host: str) -> None:
    assert host_header(urlsplit(url)) == host


@pytest.mark.parametrize("service", ["lambda", "dynamodb"])
def test_an_endpoint_is_boto3s(service: str) -> None:
    found = find(service=service)
    assert (found.host, found.port, found.timeout_s) == (f"{service}.eu-west-1.amazonaws.com", 443, 7)
    assert found.tls is not None
    assert found.tls.check_hostname
    head = found.signer.head(ANY, b"").decode()
    assert head.startswith(f"POST / HTTP/1.1\r\nHost: {found.host}\r\n")
    assert f"/eu-west-1/{service}/aws4_request, " in head


def test_an_endpoint_that_is_given() -> None:
    found = find("http://localhost:8000/base/")
    assert (found.host, found.port, found.tls) == ("localhost", 8000, None)
    head = found.signer.head(RequestKind("Any", "/path"), b"")
    assert head.startswith(b"POST /base/path HTTP/1.1\r\nHost: localhost:8000\r\n")


@pytest.mark.parametrize(
    "url", ["http://me:geheim@x:99999", "http://me:geheim@x:y", "ftp://me:geheim@x"]
)
def test_an_endpoint_that_cannot_be(url: str) -> None:
    with pytest.raises(InputError, match="http://host:port") as caught:
        find(url)
    assert "geheim" not in str(caught.value)


def test_nobody_to_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(NoCredentialsError):
        find()


def test_load_does_not_go_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:geheim@proxy:1")
    assert find("http://x").tls is None
    with pytest.raises(AwsError) as caught:
        find("https://x:8000")
    cause, remedy = explain(caught.value)
    assert cause == "x would be reached through a proxy, and load does not go through one"
    assert remedy == "add x to NO_PROXY"
    monkeypatch.setenv("NO_PROXY", "x")
    assert find("https://x:8000").port == 8000


def subjects(found: HttpEndpoint) -> list[str]:
    """Who is trusted."""
    assert found.tls is not None
    assert found.tls.verify_mode is ssl.CERT_REQUIRED
    assert found.tls.check_hostname
    names: Any = [authority["subject"] for authority in found.tls.get_ca_certs()]
    return [value for subject in names for ((name, value),) in subject if name == "commonName"]


def test_whom_it_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As boto3 does, unless --sslrootcert names somebody."""
    roots = {
        name: str(Authority(tmp_path, name).root) for name in ("option", "config", "aws", "requests")
    }
    own = subjects(find("https://x"))
    assert len(own) > 10
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", roots["requests"])
    assert subjects(find("https://x")) == ["requests"]
    config = tmp_path / "config"
    config.write_text(f"[default]\nca_bundle = {roots['config']}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert subjects(find("https://x")) == ["config"]
    monkeypatch.setenv("AWS_CA_BUNDLE", roots["aws"])
    assert subjects(find("https://x")) == ["aws"]
    assert subjects(find("https://x", roots["option"])) == ["option"]
    assert subjects(find("https://x", "system")) == ["aws"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("", "--sslrootcert: no certificates"),
        ("AWS_CA_BUNDLE", "AWS_CA_BUNDLE or ca_bundle: no certificates"),
        ("REQUESTS_CA_BUNDLE", "REQUESTS_CA_BUNDLE: no certificates"),
    ],
)
@pytest.mark.parametrize(("text", "why"), [(None, "No such file"), ("hello", "it holds none")])
def test_authorities_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, said: str, text: str | None, why: str
) -> None:
    file = tmp_path / "root.pem"
    if text is not None:
        file.write_text(text)
    if setting:
        monkeypatch.setenv(setting, str(file))
    with pytest.raises(InputError, match=f"{said} can be read from .*root.pem: {why}"):
        find("https://x", None if setting else str(file))


def finding(wait_s: float = 0.0) -> tuple[Callable[[], HttpEndpoint], list[int]]:
    """A way to find an endpoint that fails the first time, and the times that it was asked."""
    asked: list[int] = []

    def one() -> HttpEndpoint:
        asked.append(len(asked))
        sleep(wait_s)
        if len(asked) == 1:
            raise NoCredentialsError
        return find("http://x")

    return one, asked


def test_an_endpoint_is_found_once_for_all() -> None:
    one, asked = finding(0.05)
    once = Once(one)
    with pytest.raises(NoCredentialsError):
        once.get()
    found: list[HttpEndpoint] = []
    threads = [threading.Thread(target=lambda: found.append(once.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert len(found) == 8
    assert len(asked) == 2
