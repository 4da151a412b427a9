"""Where to connect and with which credentials: found once for a process, as boto3 would find them."""

import os
import ssl
from threading import RLock
from urllib.parse import urlsplit

import botocore.session
from botocore.exceptions import BotoCoreError, NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from loadtest.targets.dynamodb.address import Address
from loadtest.targets.dynamodb.signing import Signer
from loadtest.targets.dynamodb.wire import Endpoint, host_header


class BehindProxy(BotoCoreError):  # type: ignore[misc]  # noqa: N818 - what it is
    """boto3 would go through a proxy; wires do not, for it would be measured too."""

    fmt = "{host} would be reached through a proxy"


# All users of a process ask at the same moment, and looking may take a while.
_lock = RLock()
_found: dict[tuple[Address, str], Endpoint] = {}


def find_endpoint(address: Address, url: str) -> Endpoint:
    """Where connections lead; `url` is what boto3's own client goes to. Raises botocore's errors."""
    with _lock:
        if (address, url) not in _found:
            _found[address, url] = _find(address, url)
        return _found[address, url]


def _find(address: Address, url: str) -> Endpoint:
    session = botocore.session.Session(profile=address.profile)
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    parts = urlsplit(url)
    if get_environ_proxies(url).get(parts.scheme):
        raise BehindProxy(host=parts.hostname)
    tls = None
    if parts.scheme == "https":
        trusted = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
        tls = ssl.create_default_context(cafile=get_cert_path(trusted or True))
    return Endpoint(
        host=parts.hostname or "",
        port=parts.port or (443 if tls else 80),
        tls=tls,
        signer=Signer(credentials, host_header(url), address.region),
    )
