"""Calls over real sockets are in the ledger as operators saw them, and the records say the same."""

import asyncio
from contextlib import suppress

import pytest
from stage.misdeeds import SCRIPTS
from stage.town import BANK, CARD, ONE, TWO
from stage.waiting import until

from relay.infra.records.access_files import read_records
from relay.policy.statistics.reconcile import Recount, find_differences
from relay.runtime.wiring.counting import build_counting

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def settled(town):
    """Everything that ended is written, and in the ledger."""
    await town.quiet()
    await until(lambda: not town.records._closed, "the records being settled")
    await until(lambda: town.relay.tally.waiting == 0, "the ledger having all of them")


async def counted(town):
    await settled(town)
    return dict(town.books.run(town.books.ledger.statistics.counts("0", "9")))


async def more(town, before):
    """What came since, without day and slot."""
    found = {}
    for line, count in (await counted(town)).items():
        if fresh := count - before.get(line, 0):
            found[line[2:]] = found.get(line[2:], 0) + fresh
    return found


async def test_calls_count_for_their_parties_as_they_ended(town):
    before = await counted(town)
    for data in (town.get(), town.get(x_api_type="scheduled"), town.post(), town.get(query={"limit": "0"})):
        await town.ask(data)
    await town.ask(town.get(Authorization=None))
    await town.ask(town.get(operator=TWO), town.pair_of(TWO))
    one, two = (ONE, f"{ONE}SVC01"), (TWO, f"{TWO}SVC01")
    assert await more(town, before) == {
        (BANK, *one, "2", "BA01", "200_00000"): 1,
        (BANK, *one, "1", "BA01", "200_00000"): 1,
        (BANK, *one, "2", "BA03", "200_00000"): 1,
        (BANK, *one, "2", "BA01", "400_40001"): 1,
        (BANK, *one, "2", "BA01", "401_40101"): 1,  # no token told it, but this operator has one service
        (BANK, *two, "2", "BA01", "200_00000"): 1,
    }


@pytest.mark.parametrize(
    ("script", "outcome"),
    [("says_nothing", "500_50003"), ("redirects", "500_50005"), ("closes_after_100_kb", "200_50005")],
)
async def test_an_institution_that_fails_counts_as_failure_once(town, script, outcome):
    before = await counted(town)
    town.bank.script = SCRIPTS[script]
    with suppress(asyncio.IncompleteReadError):
        await town.ask()
    ((line, count),) = (await more(town, before)).items()
    assert (line[:2], line[-1], count) == ((BANK, ONE), outcome, 1)
    assert town.books.run(town.books.ledger.statistics.pulse(BANK)).failures >= 1


async def test_who_names_no_institution_of_ours_counts_for_nobody(town):
    before, missed = await counted(town), town.relay.tally.unattributed
    for data in (town.get(provider="ZBAA999999"), town.get("/nowhere")):
        await town.ask(data)
    assert (await more(town, before), town.relay.tally.unattributed - missed) == ({}, 2)


async def test_the_records_of_the_day_add_up_to_the_ledger(town):
    calls = [town.get(), town.post(), town.get(provider=CARD, path="/v1/card/cards"), town.get("/nowhere")]
    calls += [town.get("/bank/apis", query={"client_id": f"{ONE}SVC01"}, Authorization=None, x_api_type=None)]
    await asyncio.gather(*map(town.ask, calls * 5))
    ledger = await counted(town)
    total = sum(ledger.values()) + town.relay.tally.unattributed
    await until(lambda: len(town.log.read_text().splitlines()) >= total, "the log")
    for day in {line.stat_date for line in ledger}:
        recount = Recount(day)
        recount.read(read_records(town.log), build_counting())
        of_day = {line: count for line, count in ledger.items() if line.stat_date == day}
        assert list(find_differences(of_day.items(), recount.counts)) == []
        assert recount.unreadable == 0
