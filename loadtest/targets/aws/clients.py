"""AWS through boto3: one client for each service, Region and profile, and tokens.

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
from botocore.config import Config

from loadtest.errors import InputError
from loadtest.errors.messages import one_line
from loadtest.targets.aws import credentials

# botocore logs a traceback when credentials cannot be renewed; the error itself is shown and recorded.
logging.getLogger("botocore").setLevel(logging.CRITICAL)

# boto3's sessions are not safe between threads while they make a client.
_lock = RLock()
_sessions: dict[str | None, botocore.session.Session] = {}
_clients: dict[tuple[object, ...], Any] = {}
# What boto3 itself asks, of STS for one, must not take minutes where nothing answers.
_OWN_REQUESTS = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 2})


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
    """The client of a service (`dsql`, `dynamodb`, …) in a Region; made once for each set of arguments.

    Credentials come from boto3's chain: the profile, the environment, files, the machine's role.
    `attempts` is how often boto3 may ask in all; 1 turns its own retries off, which would hide
    conflicts and throttling. `sslrootcert` is as `authorities` takes it. `config` are more of
    `botocore.config.Config`'s options. Raises one of `errors.ERRORS`, and InputError where
    `endpoint_url` is no URL.
    """
    verify = authorities(sslrootcert)
    key = (service, region, profile, endpoint_url, attempts, verify, repr(sorted(config.items())))
    with _lock:
        if key not in _clients:
            shared = session(profile)
            try:
                # boto3 knows services that come with it alone; the session is botocore's.
                made = boto3.Session(botocore_session=shared).client(
                    service,
                    region_name=region,
                    endpoint_url=endpoint_url,
                    verify=verify,
                    config=Config(retries={"total_max_attempts": attempts}, **config),
                )
            except ValueError as error:
                words = one_line(str(error)).rstrip(".")
                raise InputError(f"{words}; give an endpoint as http://host:port") from None
            credentials.check(shared.get_credentials())
            _clients[key] = made
        return _clients[key]


def authorities(sslrootcert: str | None) -> str | None:
    """The file that `--sslrootcert` names, None for those that boto3 trusts by itself.

    `system` is libpq's word for the authorities of this machine; boto3 brings its own along.
    """
    return None if sslrootcert == "system" else sslrootcert


def session(profile: str | None) -> botocore.session.Session:
    """What finds credentials and settings.

    A role of the profile is taken in the first client's Region: that of a target's URL, for the
    profile may name none.
    """
    if profile not in _sessions:
        made = botocore.session.Session(profile=profile)
        made.set_default_client_config(_OWN_REQUESTS)
        _sessions[profile] = made
    return _sessions[profile]


def dsql_token(
    host: str, user: str, region: str, profile: str | None = None, expires_s: int = 900
) -> str:
    """A new password for a role of an Aurora DSQL cluster; raises one of `errors.ERRORS`.

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
    """A new password, for 15 minutes, of a user of Aurora or RDS; raises one of `errors.ERRORS`.

    The user needs the role `rds_iam` in the database, and the permission rds-db:connect.
    """
    return str(
        client("rds", region, profile).generate_db_auth_token(
            DBHostname=host, Port=port, DBUsername=user, Region=region
        )
    )
