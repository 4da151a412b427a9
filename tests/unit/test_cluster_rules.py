"""What is asked of clusters, what is said of them, and which clusters and minutes a run was on."""

import shlex
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import InputError
from loadtest.record.run import Run, Target
from loadtest.targets import parse_target
from loadtest.targets.dsql.clusters import (
    TAG,
    Cluster,
    NewCluster,
    Peer,
    check_deletable,
    how_to_use,
    listing,
    read_regions,
)
from loadtest.targets.dsql.service_metrics import MeteredCluster, clusters_of, minutes_of

ID = "abcdefghijklmnopqrstuvwxyz"
HOST = f"{ID}.dsql.us-east-1.on.aws"


def cluster(**changes: Any) -> Cluster:
    plain: dict[str, Any] = {
        "identifier": ID, "region": "us-east-1",
        "arn": f"arn:aws:dsql:us-east-1:123456789012:cluster/{ID}", "status": "ACTIVE",
        "endpoint": HOST, "created": datetime(2026, 1, 1, tzinfo=UTC), "protected": False,
        "tags": {TAG: "2026-01-01T00:00:00Z"},
    }  # fmt: skip
    return Cluster(**{**plain, **changes})


def test_regions_are_read_each_once() -> None:
    assert read_regions("--region", "us-east-1, eu-west-1,us-east-1") == ["us-east-1", "eu-west-1"]
    assert read_regions("--region", "us-gov-west-1") == ["us-gov-west-1"]


@pytest.mark.parametrize("text", ["", ",", "nonsense", "us-east-1,US-EAST-2", "us-east-1;", "east"])
def test_what_is_no_region_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"--region: .*such as us-east-1"):
        read_regions("--region", text)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (NewCluster("us-east-1", peer_region="us-east-2"), "--witness-region go together"),
        (NewCluster("us-east-1", witness_region="us-east-2"), "--witness-region go together"),
        (
            NewCluster("us-east-1", peer_region="us-east-1", witness_region="us-west-2"),
            "three different Regions",
        ),
        (
            NewCluster("us-east-1", peer_region="us-east-2", witness_region="us-east-2"),
            "three different Regions",
        ),
        (NewCluster("us-east-1,us-east-2"), "--region: one Region is needed"),
        (NewCluster("us-east-1", peer_region="x", witness_region="us-west-2"), "--peer-region: 'x'"),
        (NewCluster("us-east-1", name="a\nb"), "--name"),
        (NewCluster("us-east-1", name="x" * 257), "--name"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(new: NewCluster, said: str) -> None:
    with pytest.raises(InputError, match=said):
        new.check()


def test_only_what_carries_the_tag_may_be_deleted() -> None:
    check_deletable([cluster()], lift_protection=False)
    foreign = cluster(tags={"Name": "occbench"}, protected=True)
    for lift in (False, True):
        with pytest.raises(InputError, match="was not made by occbench"):
            check_deletable([cluster(), foreign], lift_protection=lift)


def test_protection_has_to_be_lifted() -> None:
    with pytest.raises(InputError, match="--lift-protection"):
        check_deletable([cluster(protected=True)], lift_protection=False)
    check_deletable([cluster(protected=True)], lift_protection=True)


def test_the_list_names_what_matters() -> None:
    peer = Peer("p" * 26, "us-west-2")
    lines = listing(
        [
            cluster(peers=(peer,), witness="us-east-2"),
            cluster(tags={}, status="CREATING", protected=True),
        ]
    )
    assert lines[0].split()[:2] == ["IDENTIFIER", "REGION"]
    assert HOST in lines[1]
    assert f"{'p' * 26} in us-west-2 (witness us-east-2)" in lines[1]
    assert " occbench " in lines[1]
    assert "CREATING, protected" in lines[2]
    assert " other " in lines[2]
    assert lines[1].index(HOST) == lines[2].index(HOST)


def test_a_target_to_copy() -> None:
    assert how_to_use([cluster()], None)[-1] == f"--target 'dsql://{HOST}?user=admin'"
    both = how_to_use([cluster(), cluster(region="us-east-2")], "my own")[-1]
    words = shlex.split(both)
    assert words[::2] == ["--target", "--target"]
    specs = [parse_target(text) for text in words[1::2]]
    assert [(s.family, s.name) for s in specs] == [("dsql", "us-east-1"), ("dsql", "us-east-2")]
    assert specs[0].options == {"user": "admin", "profile": "my own"}


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (f"dsql://{HOST}?user=admin", (ID, "us-east-1", None)),
        (HOST, (ID, "us-east-1", None)),
        (f"dsql://app@{HOST}:5432/postgres?profile=me", (ID, "us-east-1", "me")),
        (f"dsql://{ID}.dsql-fnh4.eu-west-1.on.aws", (ID, "eu-west-1", None)),
        (f"dsql-cluster://{ID}?region=eu-west-1&profile=me", (ID, "eu-west-1", "me")),
        (f"dsql-cluster://{ID}:5433?region=eu-west-1", (ID, "eu-west-1", None)),
        ("dsql://localhost:5432?region=us-east-1", None),
        (f"postgresql://me@{HOST}/postgres", None),
        ("embedded", None),
        ("nothing://known", None),
        ("", None),
    ],
)
def test_a_run_says_which_clusters_it_was_on(
    url: str, found: tuple[str, str, str | None] | None
) -> None:
    expected = {MeteredCluster(*found): ("a",)} if found else {}
    assert clusters_of(Run(targets=(Target(name="a", url=url),))) == expected


def test_two_targets_may_be_one_cluster() -> None:
    targets = tuple(Target(name=name, url=f"dsql://{HOST}?user={name}") for name in ("a", "b"))
    assert clusters_of(Run(targets=targets)) == {MeteredCluster(ID, "us-east-1", None): ("a", "b")}
    assert clusters_of(Run()) == {}


@given(st.integers(0, 2**62), st.integers(1, 10**13))
def test_the_minutes_cover_the_measured_time_and_no_more(begin_ns: int, length_ns: int) -> None:
    until_ns = begin_ns + length_ns
    minutes = minutes_of(begin_ns, until_ns)
    assert all(minute % 60 == 0 for minute in (minutes[0], minutes[-1]))
    assert minutes[0] * 10**9 <= begin_ns < (minutes[0] + 60) * 10**9
    assert minutes[-1] * 10**9 < until_ns <= (minutes[-1] + 60) * 10**9
    assert minutes.step == 60


def test_a_minute_that_is_only_touched_at_its_end_is_not_covered() -> None:
    minute = 60 * 10**9
    assert list(minutes_of(minute, 2 * minute)) == [60]
    assert list(minutes_of(minute, 2 * minute + 1)) == [60, 120]
    assert list(minutes_of(2 * minute - 1, 2 * minute)) == [60]
