"""Where this machine keeps the certificate authorities that it trusts, for `sslrootcert=system`."""

import os
import re
import ssl
from pathlib import Path

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")


def find_system_roots() -> None:
    """Let `sslrootcert=system` mean what it says; does nothing where the user has told OpenSSL.

    The OpenSSL that comes with psycopg looks into a folder that is nowhere but where it was built;
    Python's own knows the right one. A folder with hashed names is best: a file is read whole for
    each connection, which then takes 7 ms of this process's time instead of 2. Where Python knows
    neither, it is the file that comes with boto3.
    """
    if "SSL_CERT_FILE" in os.environ or "SSL_CERT_DIR" in os.environ:
        return
    known = ssl.get_default_verify_paths()
    if known.capath is not None and _is_hashed(Path(known.capath)):
        os.environ["SSL_CERT_DIR"] = known.capath
    else:
        os.environ["SSL_CERT_FILE"] = known.cafile or _of_boto3()


def _is_hashed(folder: Path) -> bool:
    try:
        return any(_HASHED.fullmatch(entry.name) for entry in folder.iterdir())
    except OSError:
        return False


def _of_boto3() -> str:
    # Imported here: it is seldom needed, and boto3's packages must not be imported before gevent.
    import botocore

    return str(Path(botocore.__file__).parent / "cacert.pem")
