"""Where requests go, with which credentials and whom to trust: all of it as boto3 would find it."""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

import botocore.session
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from loadtest.errors import InputError
from loadtest.targets.aws import clients
from loadtest.targets.aws.errors import AwsError
from loadtest.targets.aws.signing import Signer

_USUAL_PORTS = {"http": 80, "https": 443}

Value = TypeVar("Value")


class Once(Generic[Value]):
    """A value that is looked up when it is first asked for, once for all who ask at that moment."""

    def __init__(self, look_up: Callable[[], Value]) -> None:
        self._look_up = look_up
        self._lock = Lock()
        self._value: Value | None = None

    def get(self) -> Value:
        """The value; raises what `look_up` raises, and then looks again the next time."""
        with self._lock:
            if self._value is None:
                self._value = self._look_up()
            return self._value


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """What all connections to a service have in common."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """None where the endpoint is plain HTTP."""
    signer: Signer
    timeout_s: float
    """How long an answer is waited for."""


def find_endpoint(
    client: Any, *, profile: str | None, sslrootcert: str | None, timeout_s: float
) -> HttpEndpoint:
    """Where this boto3 client goes; nothing is contacted, but for credentials.

    `sslrootcert` is as `clients.authorities` takes it.
    Raises InputError, or one of `errors.ERRORS`.
    """
    # The client's own session, which knows the Region to take a role in, and asks once for both.
    credentials = clients.session(profile).get_credentials()
    if credentials is None:
        raise NoCredentialsError
    url = str(client.meta.endpoint_url)
    parts = urlsplit(url)
    port = _port(parts)
    if get_environ_proxies(url).get(parts.scheme):
        # What a proxy takes would be measured too.
        host = parts.hostname
        raise AwsError(
            cause=f"{host} would be reached through a proxy, and load does not go through one",
            remedy=f"add {host} to NO_PROXY",
        )
    return HttpEndpoint(
        host=parts.hostname or "",
        port=port,
        tls=_trust(sslrootcert, profile) if parts.scheme == "https" else None,
        signer=Signer(
            credentials,
            service=client.meta.service_model.signing_name,
            region=client.meta.region_name,
            host=host_header(parts),
            base=parts.path.rstrip("/"),
        ),
        timeout_s=timeout_s,
    )


def host_header(parts: SplitResult) -> str:
    """The Host header for an endpoint's URL: with its port unless that is the scheme's own."""
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    port = _port(parts)
    return host if port == _USUAL_PORTS[parts.scheme] else f"{host}:{port}"


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or _USUAL_PORTS[parts.scheme]
    except (ValueError, KeyError):
        # Not quoted: it may hold a password.
        raise InputError(
            f"there is no HTTP endpoint at {parts.scheme}://{parts.hostname}; give one as "
            "http://host:port or https://host:port"
        ) from None


def _trust(sslrootcert: str | None, profile: str | None) -> ssl.SSLContext:
    session = botocore.session.Session(profile=profile)
    files = {
        "--sslrootcert": clients.authorities(sslrootcert),
        "AWS_CA_BUNDLE or ca_bundle": session.get_config_variable("ca_bundle"),
        "REQUESTS_CA_BUNDLE": os.environ.get("REQUESTS_CA_BUNDLE"),
    }
    setting, file = next(((name, file) for name, file in files.items() if file), ("", ""))
    try:
        return ssl.create_default_context(cafile=file or get_cert_path(True))
    except OSError as error:
        why = "it holds none" if isinstance(error, ssl.SSLError) else error.strerror
        raise InputError(f"{setting}: no certificates can be read from {file}: {why}") from None
