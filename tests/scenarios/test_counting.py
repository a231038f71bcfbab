"""Calls over real sockets are in the ledger as operators saw them, and in the access log."""

import asyncio
from contextlib import suppress

import pytest
from fixtures.failure_modes import SCRIPTS
from fixtures.gateway_environment import BANK, CARD, ONE, TWO
from fixtures.waiting import until

from relay.infra.records.access_files import read_records
from relay.policy.statistics.reconcile import Recount, find_differences
from relay.runtime.wiring.counting import build_counting

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def wait_settled(env):
    """Waits until every ended exchange is logged and read_counts in the ledger."""
    await env.wait_idle()
    await until(lambda: not env.relay.records.waiting, "the records being settled")
    await until(lambda: env.relay.counter.waiting == 0, "the ledger having all of them")


async def read_counts(env):
    await wait_settled(env)
    return dict(env.ledger_writer.run(env.ledger_writer.ledger.statistics.counts("0", "9")))


async def read_new_counts(env, before):
    """Counts since `before`, summed over day and slot."""
    new_counts = {}
    for key, count in (await read_counts(env)).items():
        if added := count - before.get(key, 0):
            new_counts[key[2:]] = new_counts.get(key[2:], 0) + added
    return new_counts


async def test_calls_count_for_their_parties_as_they_ended(env):
    before = await read_counts(env)
    for data in (
        env.build_get(),
        env.build_get(x_api_type="scheduled"),
        env.build_post(),
        env.build_get(query={"limit": "0"}),
    ):
        await env.call(data)
    await env.call(env.build_get(Authorization=None))
    await env.call(env.build_get(operator=TWO), env.get_pair(TWO))
    first, second = (ONE, f"{ONE}SVC01"), (TWO, f"{TWO}SVC01")
    assert await read_new_counts(env, before) == {
        (BANK, *first, "2", "BA01", "200_00000"): 1,
        (BANK, *first, "1", "BA01", "200_00000"): 1,
        (BANK, *first, "2", "BA03", "200_00000"): 1,
        (BANK, *first, "2", "BA01", "400_40001"): 1,
        (BANK, *first, "2", "BA01", "401_40101"): 1,  # no token, but this operator has only one service
        (BANK, *second, "2", "BA01", "200_00000"): 1,
    }


@pytest.mark.parametrize(
    ("script", "outcome"),
    [("says_nothing", "500_50003"), ("redirects", "500_50005"), ("closes_after_100_kb", "200_50005")],
)
async def test_an_institution_that_fails_counts_as_failure_once(env, script, outcome):
    before = await read_counts(env)
    env.bank.script = SCRIPTS[script]
    with suppress(asyncio.IncompleteReadError):
        await env.call()
    ((key, count),) = (await read_new_counts(env, before)).items()
    assert (key[:2], key[-1], count) == ((BANK, ONE), outcome, 1)
    assert env.ledger_writer.run(env.ledger_writer.ledger.statistics.pulse(BANK)).failures >= 1


async def test_calls_without_a_known_institution_are_unattributed(env):
    before, missed = await read_counts(env), env.relay.counter.unattributed
    for data in (env.build_get(provider="ZBAA999999"), env.build_get("/nowhere")):
        await env.call(data)
    assert (await read_new_counts(env, before), env.relay.counter.unattributed - missed) == ({}, 2)


async def test_the_records_of_the_day_add_up_to_the_ledger(env):
    calls = [
        env.build_get(),
        env.build_post(),
        env.build_get(provider=CARD, path="/v1/card/cards"),
        env.build_get("/nowhere"),
    ]
    calls += [env.build_get("/bank/apis", query={"client_id": f"{ONE}SVC01"}, Authorization=None, x_api_type=None)]
    await asyncio.gather(*map(env.call, calls * 5))
    ledger = await read_counts(env)
    total = sum(ledger.values()) + env.relay.counter.unattributed
    await until(lambda: len(env.log.read_text().splitlines()) >= total, "the log")
    for day in {key.stat_date for key in ledger}:
        recount = Recount(day)
        recount.read(read_records(env.log), build_counting())
        counts_of_day = {key: count for key, count in ledger.items() if key.stat_date == day}
        assert list(find_differences(counts_of_day.items(), recount.counts)) == []
        assert recount.unreadable == 0
