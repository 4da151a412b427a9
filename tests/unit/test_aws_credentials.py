"""AWS credentials that cannot be used: each in one line, none of them shown, no wait without an end."""

import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.errors import OccbenchError
from loadtest.targets import open_target, parse_target
from loadtest.targets.aws import clients, credentials
from loadtest.targets.aws.endpoint import find_endpoint
from loadtest.targets.aws.errors import ERRORS, AwsError, explain
from loadtest.targets.aws.signing import RequestKind
from tests.commands import environment

SECRET = "hunter2"
ROLE = """
[profile base]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = secret
[profile r]
role_arn = arn:aws:iam::123456789012:role/bench
source_profile = base
"""
ASSUMED = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>other</SecretAccessKey>
<SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/bench/x</Arn>
<AssumedRoleId>x:y</AssumedRoleId></AssumedRoleUser>
</AssumeRoleResult></AssumeRoleResponse>"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A service that gives out roles; the list has the signature of every request."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Length", str(len(ASSUMED)))
            self.end_headers()
            self.wfile.write(ASSUMED)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_address[1]}")
        yield asked
        server.shutdown()


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "config").write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))


def said(error: BaseException) -> str:
    assert isinstance(error, ERRORS)
    assert isinstance(error, Exception)
    line = "; ".join(explain(error))
    assert "\n" not in line
    assert SECRET not in line
    return line


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (f"{SECRET}\n", "ends in a line break"),
        (f"{SECRET}\r\n", "ends in a line break"),
        (f"\n{SECRET}", "begins with a line break"),
        (f" {SECRET}", "begins with a blank"),
        (f"{SECRET}\t", "ends in a blank"),
        (f"{SECRET}\u00a0", "ends in a blank"),
        (f"{SECRET}\u2028", "ends in a line break"),
        (f'"{SECRET}"', "begins with a quotation mark"),
        (f"a\n{SECRET}", "has a line break in it"),
        (f"a {SECRET}", "has a blank in it"),
        (f"\u00e9{SECRET}", "begins with a character that no key has"),
        (f"hun\u00e9{SECRET}", "has a character that no key has in it"),
        (f"\x1b[31m{SECRET}", "begins with a character that no key has"),
        (" ", "is blank"),
    ],
)
def test_what_is_stray_about_a_key_is_said_and_the_key_is_not(
    value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_said("AWS_SECRET_ACCESS_KEY", value, words, monkeypatch)


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"])
def test_it_is_said_of_each_part_of_a_key(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_said(variable, f"{SECRET}\n", "ends in a line break", monkeypatch)


def check_said(variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fine = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    for name, text in {**fine, variable: value}.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(AwsError) as caught:
        clients.client("dynamodb", "us-east-1")
    assert said(caught.value).startswith(f"{variable} {words}; set it again")


@pytest.mark.parametrize(
    "target",
    [
        "dynamodb://us-east-1?endpoint_url=http://127.0.0.1:PORT",
        "lambda://us-east-1/f?accounts=10&endpoint_url=http://127.0.0.1:PORT",
        "dsql://abcdefghij0123456789abcdef.dsql.us-east-1.on.aws:PORT?hostaddr=127.0.0.1",
        f"dsql-cluster://{'c' * 26}?region=us-east-1",
        "postgresql://u@x.us-east-1.rds.amazonaws.com/d?iam=rds&hostaddr=127.0.0.1&port=PORT",
    ],
)
def test_every_target_says_it(target: str, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{SECRET}\n")
    opened = open_target(parse_target(target.replace("PORT", str(closed_port))))
    with pytest.raises((OccbenchError, AwsError)) as caught:
        opened.warm()
    assert isinstance(caught.value, Exception)
    error = caught.value
    line = str(error if isinstance(error, OccbenchError) else opened.explain(error))
    assert "AWS_SESSION_TOKEN ends in a line break" in line
    assert SECRET not in line


@pytest.mark.parametrize(
    ("process", "words"),
    [
        (f"/bin/echo {SECRET} please log in", "what credential_process prints are no credentials"),
        ("/bin/echo", "what credential_process prints are no credentials"),
        ("/bin/echo []", "what credential_process prints are no credentials"),
        ('/bin/echo \'{"Version": 1, "AccessKeyId": 1, "SecretAccessKey": 2}\'', "are no credentials"),
        (
            f'/bin/echo \'{{"Version": 2, "AccessKeyId": "{SECRET}"}}\'',
            "credential_process: Unsupported",
        ),
        (f'/bin/echo \'{{"Version": 1, "AccessKeyId": "{SECRET}"}}\'', "credential_process: Missing"),
        (
            f'/bin/echo \'{{"Version": 1, "AccessKeyId": "x", "SecretAccessKey": "{SECRET} "}}\'',
            "the secret access key that credential_process prints ends in a blank",
        ),
        ("/bin/false", "credential_process: it ended with an error"),
        ("/bin/ls /nonexistent", "credential_process: /bin/ls: cannot access"),
        ("/nonexistent/helper", "credential_process cannot be started: No such file"),
        ("/etc/passwd", "credential_process cannot be started: Permission denied"),
        ("/bin/echo 'open", "what credential_process prints are no credentials"),
    ],
)
def test_a_credential_process_that_does_not_work_is_named(
    process: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, tmp_path, f"[default]\ncredential_process = {process}\n")
    with pytest.raises(AwsError) as caught:
        clients.client("dynamodb", "us-east-1")
    assert words in said(caught.value)


def test_a_credential_process_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "PROCESS_S", 0.3)
    script = tmp_path / "helper"
    # The child that it leaves behind holds its output open.
    script.write_text("#!/bin/sh\nsleep 120 &\nsleep 120\n")
    script.chmod(0o755)
    configure(monkeypatch, tmp_path, f"[default]\ncredential_process = {script}\n")
    began = time.monotonic()
    with pytest.raises(AwsError, match=r"has not ended after 0\.3 s"):
        clients.client("dynamodb", "us-east-1")
    assert time.monotonic() - began < 60


UNDER_GEVENT = """
import locust, sys
from loadtest.targets.aws import clients, credentials
from loadtest.targets.aws.errors import AwsError
credentials.PROCESS_S = 0.3
try:
    clients.client("dynamodb", "us-east-1")
except AwsError as error:
    print(error)
"""


def test_one_that_hangs_is_ended_where_waiting_is_cooperative(tmp_path: Path) -> None:
    """As in a run, and in a process of its own: importing Locust changes how the library waits."""
    config = tmp_path / "config"
    config.write_text("[default]\ncredential_process = /bin/sleep 100\n")
    none = str(tmp_path / "none")
    done = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT],
        env=environment(AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=none),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "credential_process has not ended after 0.3 s\n", done.stderr


@pytest.mark.parametrize("region", ["us-west-2", "eu-central-1"])
def test_a_role_is_taken_in_the_region_of_the_target(
    region: str, sts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile names none."""
    configure(monkeypatch, tmp_path, ROLE)
    client = clients.client("dynamodb", region, profile="r", endpoint_url="http://127.0.0.1:9")
    found = find_endpoint(client, profile="r", sslrootcert=None, timeout_s=1)
    assert b"Credential=ASIAEXAMPLE/" in found.signer.head(RequestKind("Any"), b"")
    assert len(sts) == 1, "asked once, by all who need it"
    assert f"/{region}/sts/aws4_request" in sts[0]


def test_a_code_that_nobody_can_type_is_not_waited_for(
    sts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, tmp_path, f"{ROLE}mfa_serial = arn:aws:iam::123456789012:mfa/me\n")
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        client = clients.client("dynamodb", "us-east-1", profile="r", endpoint_url="http://127.0.0.1:9")
        found = find_endpoint(client, profile="r", sslrootcert=None, timeout_s=1)
        with pytest.raises(AwsError) as caught:
            found.signer.head(RequestKind("Any"), b"")
    assert "wants an MFA code, and there is no terminal" in said(caught.value)
    assert sts == []
