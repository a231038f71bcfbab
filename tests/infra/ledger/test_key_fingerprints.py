"""A ledger knows its customer keys again: what is wrong with those of the settings is said before they are used."""

import asyncio

import pytest
import pytest_asyncio

from relay.infra.ledger import schema
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.key_fingerprints import KeysUnfit, Misfit, misfits, told
from relay.infra.ledger.sql_ledger import open_ledger

ONE = CustomerKey("one", b"Zq7marker-Zq7marker-Zq7marker-Zq")
WRONG = CustomerKey("one", b"3" * 32)
TWO = CustomerKey("two", b"2" * 32)
ANOTHER, NEW, MISSING = Misfit.ANOTHER, Misfit.NEW, Misfit.MISSING


@pytest.mark.parametrize(
    ("configured", "known", "found"),
    [
        ({}, {}, []),
        ({"a": b"1"}, {"a": b"1"}, []),
        ({"b": b"2", "a": b"1"}, {"a": b"1", "b": b"2"}, []),
        ({"a": b"1"}, {"a": b"2"}, [(ANOTHER, "a")]),
        ({"a": b"1"}, {"a": b""}, [(ANOTHER, "a")]),
        ({"a": b"1"}, {}, [(NEW, "a")]),
        ({"a": b"1"}, {"a": b"1", "c": b"3", "b": b"2"}, [(MISSING, "b"), (MISSING, "c")]),
        ({"b": b"1", "a": b"1"}, {"a": b"2", "c": b"3"}, [(NEW, "b"), (ANOTHER, "a"), (MISSING, "c")]),
    ],
)
def test_what_is_wrong_between_settings_and_ledger(configured, known, found):
    assert misfits(configured, known) == found


@pytest.mark.parametrize(
    ("misfit", "to_do"),
    [
        (ANOTHER, "bring the former key back"),
        (NEW, "`relay migrate -c relay.yaml` introduces it"),
        (MISSING, "add it"),
        (MISSING, "`relay migrate --reseal` forget it"),
    ],
)
def test_each_misfit_names_the_key_and_says_what_to_do(misfit, to_do):
    said = told([(misfit, "kid-7")])
    assert "'kid-7'" in said
    assert to_do in said


def test_all_that_is_wrong_is_one_line():
    said = told([(misfit, misfit.value) for misfit in Misfit])
    assert [f"'{misfit.value}'" in said for misfit in Misfit] == [True] * 3
    assert "\n" not in said


@pytest_asyncio.fixture
async def under(url):
    """The same ledger under other keys."""
    opened = []

    async def make(*keys):
        opened.append(await open_ledger(url, Sealer(keys), 2))
        return opened[-1]

    yield make
    for ledger in opened:
        await ledger.close()


def migrated(url, *keys):
    return schema.upgrade(url, Sealer(keys))


def marks(sql, url):
    return sql(url, "SELECT kid FROM key_marks ORDER BY kid")


async def unfit(awaited):
    with pytest.raises(KeysUnfit) as caught:
        await awaited
    assert "Zq7marker" not in str(caught.value) + repr(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("keys", [[ONE], [ONE, TWO], [TWO, ONE]])
async def test_introduced_keys_are_known_again_in_any_order(url, under, keys):
    introduced = (await migrated(url, *keys)).introduced
    assert introduced == tuple(key.kid for key in keys)
    await (await under(*reversed(keys))).check()
    assert (await migrated(url, *keys)).introduced == ()


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ([WRONG], [(ANOTHER, "one")]),
        ([TWO], [(NEW, "two"), (MISSING, "one")]),
        ([ONE, TWO], [(NEW, "two")]),
        ([TWO, WRONG], [(NEW, "two"), (ANOTHER, "one")]),
    ],
)
async def test_other_keys_than_the_known_ones_are_refused_at_a_start(url, under, keys, found):
    await migrated(url, ONE)
    assert await unfit((await under(*keys)).check()) == told(found)


async def test_a_known_key_that_is_not_there_is_refused_at_a_start(url, under):
    await migrated(url, ONE, TWO)
    assert await unfit((await under(TWO)).check()) == told([(MISSING, "one")])


async def test_a_ledger_that_knows_no_key_is_refused_at_a_start(url, under):
    assert await unfit((await under(ONE)).check()) == told([(NEW, "one")])


@pytest.mark.parametrize(
    ("keys", "found"),
    [([WRONG], [(ANOTHER, "one")]), ([WRONG, TWO], [(ANOTHER, "one")]), ([TWO], [(MISSING, "one")])],
)
async def test_no_key_is_introduced_while_another_is_wrong_or_missing(url, sql, keys, found):
    await migrated(url, ONE)
    assert await unfit(migrated(url, *keys)) == told(found)
    assert marks(sql, url) == ["one"]


async def test_of_two_keys_of_one_name_introduced_at_once_one_is_refused(url, sql):
    done = await asyncio.gather(migrated(url, ONE), migrated(url, WRONG), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["KeysUnfit", "Upgraded"]
    assert marks(sql, url) == ["one"]


@pytest.mark.parametrize("key", [ONE, TWO])
def test_a_mark_is_not_the_key_nor_what_finds_a_customer(key):
    sealer = Sealer([key])
    mark = sealer.marks[key.kid]
    assert len(mark) == 32
    assert mark not in {key.key, sealer.customer("ci"), sealer.customer("a customer key of this ledger")}


class TestForgetting:
    async def test_a_key_that_was_taken_away_is_forgotten_when_all_is_sealed_anew(self, url, under, desk, sql):
        await migrated(url, ONE)
        await desk.issued(await under(ONE))
        assert await (await under(TWO, ONE)).reseal() == (4, ("two",), ())
        assert marks(sql, url) == ["one", "two"]
        alone = await under(TWO)
        assert await unfit(alone.check()) == told([(MISSING, "one")])
        assert await alone.reseal() == (0, (), ("one",))
        await alone.check()
        assert marks(sql, url) == ["two"]

    async def test_a_key_that_still_seals_something_is_not_forgotten(self, url, under, desk, sql):
        await migrated(url, ONE, TWO)
        await desk.issued(await under(ONE))
        with pytest.raises(Exception, match="no customer key 'one' to open ci of a consent"):
            await (await under(TWO)).reseal()
        assert marks(sql, url) == ["one", "two"]

    async def test_nothing_is_sealed_anew_under_a_wrong_key(self, url, under, desk):
        await migrated(url, ONE)
        consent, pair = await desk.issued(await under(ONE))
        assert await unfit((await under(TWO, WRONG)).reseal()) == told([(ANOTHER, "one")])
        assert await (await under(ONE)).consent_behind(pair.access.jti) == (pair.access, consent)
