"""AWS's control planes on this machine: moto's server, in a process of its own.

moto has the operations of Aurora DSQL on clusters and those of CloudWatch that the tool uses. What it
does otherwise than AWS is put right here, in the server: a cluster's endpoint has `dsql` in its host
name; half of a linked pair waits for its other half, when it is made and when it is deleted; any Region
has Aurora DSQL; CloudWatch knows percentiles; and keys are told apart by what they may do. What a
client sends and gets is AWS's own protocol over HTTP.
"""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from tests.rigs import Rig

FULL = "AKIAOCCBENCHMAYEVERYTHING"
"""The access key that may do everything."""
NOTHING = "AKIAOCCBENCHMAYNOTHING"
"""One that may do nothing."""
ONLY_US_EAST_1 = "AKIAOCCBENCHONLYUSEAST1"
"""One that may do anything, but in us-east-1 only."""
UNKNOWN = "AKIAOCCBENCHNOBODYSKEY"
"""One that AWS never gave to anybody."""

SECRET = "made-up-secret-of-the-rig"

Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class MotoRig(Rig):
    """moto's server; `target` is its address."""

    def as_key(self, access_key: str) -> dict[str, str]:
        """The environment of somebody with another key."""
        return {**self.environment, "AWS_ACCESS_KEY_ID": access_key}

    def slow(self, looks: int | None) -> None:
        """From now on a cluster changes its state after so many looks at it; None: at once."""
        transition = {"progression": "immediate"}
        if looks is not None:
            transition = {"progression": "manual", "times": looks}  # type: ignore[dict-item]
        body = json.dumps({"model_name": "dsql::cluster", "transition": transition})
        self._post("/moto-api/state-manager/set-transition", body)

    def reset(self) -> None:
        """Forget every cluster and every figure."""
        self._post("/moto-api/reset", "")
        self.slow(None)

    def client(self, service: str, region: str) -> Any:
        """boto3's client of a service, to prepare what a test needs."""
        import boto3

        return boto3.Session(
            aws_access_key_id=FULL, aws_secret_access_key=SECRET, region_name=region
        ).client(service, endpoint_url=self.target)

    def _post(self, path: str, body: str) -> None:
        connection = http.client.HTTPConnection(self.target.removeprefix("http://"), timeout=20)
        connection.request("POST", path, body)
        answer = connection.getresponse()
        assert answer.status in (200, 201), answer.read()
        connection.close()


@contextmanager
def moto_server(hosts: str = "{id}.dsql.{region}.on.aws") -> Iterator[MotoRig]:
    """A running server; `hosts` is what clusters' endpoints are called."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.rigs.moto_server", hosts],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "MOTO_ALLOW_NONEXISTENT_REGION": "true"},
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), "moto's server did not start"
        yield MotoRig(
            target=url,
            environment={
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": FULL,
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            },
        )
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _with_percentiles() -> None:
    """Let CloudWatch answer for p50 and its like, from the values as they were put."""
    from moto.cloudwatch.models import Statistics

    plain = Statistics.get_statistics_for_type

    def statistic(self: Any, stat: str) -> Any:
        wanted = re.fullmatch(r"p(\d+(?:\.\d+)?)", stat)
        if not wanted:
            return plain(self, stat)
        values = sorted(self.metric_single_values_list)
        if float(wanted[1]) == 50:
            return statistics.median(values)
        return values[min(len(values) - 1, int(len(values) * float(wanted[1]) / 100))]

    Statistics.get_statistics_for_type = statistic  # type: ignore[method-assign]


def _with_halves(hosts: str) -> None:
    """Let clusters be called as AWS calls them, and the halves of a pair wait for each other."""
    from moto.dsql import models

    class Half(models.Cluster):
        """A cluster that may be half of a pair."""

        __module__ = models.__name__  # moto reads the service's name off it

        def __init__(self, region_name: str, *args: Any, **kwargs: Any) -> None:
            super().__init__(region_name, *args, **kwargs)
            self.endpoint = hosts.format(id=self.identifier, region=region_name)

        @property
        def others(self) -> list[str]:
            links = self.multi_region_properties or {}
            return [arn for arn in links.get("clusters", ()) if arn != self.arn]

        def other(self) -> Any:
            """The other half, as long as it exists."""
            for arn in self.others:
                clusters = models.dsql_backends[self.account_id][arn.split(":")[3]].clusters
                return clusters.get(arn.rpartition("/")[2])
            return None

        @property
        def status(self) -> str | None:
            if self.multi_region_properties and self._status == "CREATING":
                other = self.other()
                if other is None or self.arn not in other.others:
                    return "PENDING_SETUP"
            if self._status == "DELETING":
                other = self.other()
                if other is not None and other._status not in ("DELETING", "DELETED"):
                    return "PENDING_DELETE"
            return super().status

        @status.setter
        def status(self, value: str) -> None:
            self._status = value

    models.Cluster = Half  # type: ignore[misc]


def _refusing(application: Application) -> Application:
    """Answer as AWS does to a key that may not do what it asks for."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        scope = re.search(r"Credential=(\w+)/\d+/([\w-]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        key, region = (scope[1], scope[2]) if scope else ("", "")
        kind, message = "AccessDeniedException", "User is not authorized to perform this action."
        if key == UNKNOWN:
            kind, message = "UnrecognizedClientException", "The security token is invalid."
        elif key != NOTHING and (key != ONLY_US_EAST_1 or region == "us-east-1"):
            return application(environ, start)
        start("403 Forbidden", [("Content-Type", "application/json"), ("x-amzn-errortype", kind)])
        return [json.dumps({"__type": kind, "message": message}).encode()]

    return answer


def main(hosts: str) -> None:
    """Serve until standard input ends, which it does when whoever started this is gone."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    _with_percentiles()
    _with_halves(hosts)
    server = make_server(
        "127.0.0.1",
        0,
        _refusing(DomainDispatcherApplication(create_backend_app)),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    print(f"http://127.0.0.1:{server.port}", flush=True)
    from threading import Thread

    Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
