"""What `make bench` takes for granted when it looks for holes in a record."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from loadtest.config.run import RunConfig
from loadtest.engine.preflight import make_plan
from loadtest.targets.embedded.address import Regime
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, contents, key_source, seed
from tests.bench.bed import QUICK, Bed, bed
from tests.bench.occbench import REHEARSED


@pytest.fixture(scope="module")
def made() -> Iterator[Bed]:
    with bed(replace(QUICK, accounts=100)) as made:
        plan = SeedPlan((KeyType.INT,), made.sizes.accounts, workers=1)
        seed(plan, made.target, find_scenario("transfer"))
        yield made


@pytest.mark.parametrize("regime", ["locking", "optimistic"])
def test_rows_that_a_preflight_updates(made: Bed, regime: Regime) -> None:
    config = RunConfig.read(target=[made.target_url(regime)], keys="int")
    before = made.updates_counted()
    make_plan(config, contents, key_source)
    assert made.updates_counted() - before == 2 * REHEARSED[regime]
