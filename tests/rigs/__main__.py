"""`python -m tests.rigs NAME -- COMMAND…`: run a command with a rig beside it, its URL in `$TARGET`.

Without a command a shell is opened. `python -m tests.rigs` lists the rigs.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import quote

from tests.conftest import running_server
from tests.rigs import Rig
from tests.rigs.dsql import FAR_HOST, HOST, REGION, dsql
from tests.rigs.dynamodb import rig as dynamodb
from tests.rigs.gate import Endpoint
from tests.rigs.lambda_endpoint import Function, lambda_endpoint
from tests.rigs.moto_server import moto_server
from tests.rigs.postgresql import plain_server, rds_server, tls_server


@contextmanager
def _embedded() -> Iterator[Rig]:
    with running_server() as server:
        yield Rig("embedded", {"OCCBENCH_DATA": str(server.data_folder)})


@contextmanager
def _dsql_regions() -> Iterator[Rig]:
    """One cluster with an endpoint in each of two Regions; `$EAST` and `$WEST` are their URLs."""
    endpoints = {HOST: Endpoint(REGION, 12.0), FAR_HOST: Endpoint("us-west-2", 35.0)}
    with dsql(endpoints=endpoints) as rig:
        ends = {"EAST": rig.url(HOST), "WEST": rig.url(FAR_HOST)}
        yield Rig(rig.target, {**rig.environment, **ends})


@contextmanager
def _rds() -> Iterator[Rig]:
    with rds_server() as server:
        target = server.url(sslmode="verify-full", sslrootcert=str(server.authority))
        yield Rig(target, server.environment)


@contextmanager
def _lambda() -> Iterator[Rig]:
    """The example function in front of the embedded database, which it names as `database=`."""
    with running_server() as server:
        behind = {"OCC_DATABASE": server.url("optimistic", {"occ.commit_delay_ms": "5"})}
        with lambda_endpoint({"transfer": Function(behind)}) as rig:
            database = quote("embedded", safe="")
            data = {"OCCBENCH_DATA": str(server.data_folder)}
            yield Rig(f"{rig.target}&database={database}", {**rig.environment, **data})


RIGS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {
    "embedded": _embedded,
    "postgresql": plain_server,
    "postgresql-tls": tls_server,
    "postgresql-rds": _rds,
    "dsql": dsql,
    "dsql-regions": _dsql_regions,
    "aws": moto_server,
    "dynamodb": dynamodb,
    "lambda": _lambda,
}


@contextmanager
def open_rig(name: str) -> Iterator[Rig]:
    """The rig of this name, running; KeyError where there is none."""
    with RIGS[name]() as rig:
        yield rig


def main() -> int:
    """Run a command beside a rig; returns its exit status."""
    name, command = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if name not in RIGS:
        print(f"give a rig: {', '.join(RIGS)}", file=sys.stderr)
        return 2
    if command[:1] == ["--"]:
        command = command[1:]
    with open_rig(name) as rig:
        environment = {**os.environ, **rig.environment, "TARGET": rig.target}
        shell = [os.environ.get("SHELL", "sh")]
        return subprocess.run(command or shell, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
