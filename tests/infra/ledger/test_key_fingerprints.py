"""A ledger recognizes its customer keys, so that wrong keys in the settings are detected before their use."""

import asyncio

import pytest
import pytest_asyncio

from relay.infra.ledger import upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.key_fingerprints import CustomerKeyError, KeyMismatch, describe, find_mismatches
from relay.infra.ledger.sql_ledger import create_ledger

ONE = CustomerKey("one", b"Zq7marker-Zq7marker-Zq7marker-Zq")
WRONG = CustomerKey("one", b"3" * 32)
TWO = CustomerKey("two", b"2" * 32)
ANOTHER, NEW, MISSING = KeyMismatch.ANOTHER, KeyMismatch.NEW, KeyMismatch.MISSING


@pytest.mark.parametrize(
    ("configured", "known", "mismatches"),
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
def test_differences_of_settings_and_ledger_are_found(configured, known, mismatches):
    assert find_mismatches(configured, known) == mismatches


@pytest.mark.parametrize(
    ("mismatch", "remedy"),
    [
        (ANOTHER, "bring the former key back"),
        (NEW, "`relay migrate -c relay.yaml` introduces it"),
        (MISSING, "add it"),
        (MISSING, "remove it with `relay migrate --reseal`"),
    ],
)
def test_each_message_names_the_key_and_the_remedy(mismatch, remedy):
    message = describe([(mismatch, "kid-7")])
    assert "'kid-7'" in message
    assert remedy in message


def test_all_differences_are_described_in_one_line():
    message = describe([(mismatch, mismatch.value) for mismatch in KeyMismatch])
    assert [f"'{mismatch.value}'" in message for mismatch in KeyMismatch] == [True] * 3
    assert "\n" not in message


@pytest_asyncio.fixture
async def open_with_keys(url):
    """Opens the same ledger with other keys."""
    opened = []

    async def open_with(*keys):
        opened.append(create_ledger(url, Sealer(keys), 2))
        return opened[-1]

    yield open_with
    for ledger in opened:
        await ledger.close()


def migrate(url, *keys):
    return upgrading.upgrade(url, Sealer(keys))


def known_kids(sql, url):
    return sql(url, "SELECT kid FROM key_marks ORDER BY kid")


async def refusal_of(call):
    with pytest.raises(CustomerKeyError) as caught:
        await call
    assert "Zq7marker" not in str(caught.value) + repr(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("keys", [[ONE], [ONE, TWO], [TWO, ONE]])
async def test_introduced_keys_are_accepted_in_any_order(url, open_with_keys, keys):
    introduced = (await migrate(url, *keys)).introduced
    assert introduced == tuple(key.kid for key in keys)
    await (await open_with_keys(*reversed(keys))).check()
    assert (await migrate(url, *keys)).introduced == ()


@pytest.mark.parametrize(
    ("keys", "mismatches"),
    [
        ([WRONG], [(ANOTHER, "one")]),
        ([TWO], [(NEW, "two"), (MISSING, "one")]),
        ([ONE, TWO], [(NEW, "two")]),
        ([TWO, WRONG], [(NEW, "two"), (ANOTHER, "one")]),
    ],
)
async def test_other_keys_than_the_known_ones_are_refused(url, open_with_keys, keys, mismatches):
    await migrate(url, ONE)
    assert await refusal_of((await open_with_keys(*keys)).check()) == describe(mismatches)


async def test_a_missing_known_key_is_refused(url, open_with_keys):
    await migrate(url, ONE, TWO)
    assert await refusal_of((await open_with_keys(TWO)).check()) == describe([(MISSING, "one")])


async def test_a_ledger_without_known_keys_is_refused(url, open_with_keys):
    assert await refusal_of((await open_with_keys(ONE)).check()) == describe([(NEW, "one")])


@pytest.mark.parametrize(
    ("keys", "mismatches"),
    [([WRONG], [(ANOTHER, "one")]), ([WRONG, TWO], [(ANOTHER, "one")]), ([TWO], [(MISSING, "one")])],
)
async def test_no_key_is_introduced_if_another_is_wrong_or_missing(url, sql, keys, mismatches):
    await migrate(url, ONE)
    assert await refusal_of(migrate(url, *keys)) == describe(mismatches)
    assert known_kids(sql, url) == ["one"]


async def test_one_of_two_concurrent_keys_of_one_kid_is_refused(url, sql):
    results = await asyncio.gather(migrate(url, ONE), migrate(url, WRONG), return_exceptions=True)
    assert {type(result) for result in results} == {CustomerKeyError, upgrading.UpgradeResult}
    assert known_kids(sql, url) == ["one"]


@pytest.mark.parametrize("key", [ONE, TWO])
def test_a_fingerprint_is_neither_the_key_nor_a_customer_digest(key):
    sealer = Sealer([key])
    fingerprint = sealer.fingerprints[key.kid]
    assert len(fingerprint) == 32
    digests = {sealer.customer_digest(text) for text in ("ci", "a customer key of this ledger")}
    assert fingerprint not in {key.key, *digests}


class TestForgetting:
    async def test_a_removed_key_is_forgotten_after_resealing(self, url, open_with_keys, factory, sql):
        await migrate(url, ONE)
        await factory.issue(await open_with_keys(ONE))
        assert await (await open_with_keys(TWO, ONE)).reseal() == (4, ("two",), ())
        assert known_kids(sql, url) == ["one", "two"]
        ledger = await open_with_keys(TWO)
        assert await refusal_of(ledger.check()) == describe([(MISSING, "one")])
        assert await ledger.reseal() == (0, (), ("one",))
        await ledger.check()
        assert known_kids(sql, url) == ["two"]

    async def test_a_key_in_use_is_not_forgotten(self, url, open_with_keys, factory, sql):
        await migrate(url, ONE, TWO)
        await factory.issue(await open_with_keys(ONE))
        with pytest.raises(Exception, match="no customer key 'one' to open ci of a consent"):
            await (await open_with_keys(TWO)).reseal()
        assert known_kids(sql, url) == ["one", "two"]

    async def test_nothing_is_resealed_under_a_wrong_key(self, url, open_with_keys, factory):
        await migrate(url, ONE)
        consent, pair = await factory.issue(await open_with_keys(ONE))
        assert await refusal_of((await open_with_keys(TWO, WRONG)).reseal()) == describe([(ANOTHER, "one")])
        assert await (await open_with_keys(ONE)).find_token_and_consent(pair.access.jti) == (pair.access, consent)
