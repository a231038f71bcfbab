"""What is sealed opens with its key, at its place, unchanged; what finds never opens."""

import pytest

from relay.infra.ledger.database.sealing import CustomerKey, SealBroken, Sealer

ONE = CustomerKey("one", b"1" * 32)
TWO = CustomerKey("two", b"2" * 32)


@pytest.mark.parametrize("text", [b"", b"ci", "한글".encode(), bytes(10_000)])
def test_what_was_sealed_opens_again(text):
    sealer = Sealer([ONE])
    assert sealer.unseal(sealer.seal(text, "row:1"), "row:1") == text


def test_one_text_never_looks_the_same_twice():
    sealer = Sealer([ONE])
    assert len({sealer.seal(b"ci", "row:1") for _ in range(100)}) == 100


def test_it_opens_at_its_place_only():
    sealer = Sealer([ONE])
    with pytest.raises(SealBroken, match=r"^the customer key 'one' does not open row$"):
        sealer.unseal(sealer.seal(b"ci", "row:1"), "row:2")


def test_any_changed_bit_breaks_it():
    sealer = Sealer([ONE])
    blob = sealer.seal(b"ci", "row:1")
    for at in range(len(blob)):
        changed = bytearray(blob)
        changed[at] ^= 1
        with pytest.raises(SealBroken):
            sealer.unseal(bytes(changed), "row:1")


def test_any_part_of_it_is_broken():
    sealer = Sealer([ONE])
    blob = sealer.seal(b"ci", "row:1")
    for end in range(len(blob)):
        with pytest.raises(SealBroken):
            sealer.unseal(blob[:end], "row:1")


def test_the_first_key_seals_and_all_open():
    old = Sealer([ONE]).seal(b"ci", "row:1")
    both = Sealer([TWO, ONE])
    new = both.seal(b"ci", "row:1")
    assert [both.unseal(blob, "row:1") for blob in (old, new)] == [b"ci", b"ci"]
    assert [both.is_current(blob) for blob in (old, new)] == [False, True]
    with pytest.raises(SealBroken, match=r"^no customer key 'two' to open row$"):
        Sealer([ONE]).unseal(new, "row:1")


def test_another_key_of_the_same_name_does_not_open():
    blob = Sealer([ONE]).seal(b"ci", "row:1")
    with pytest.raises(SealBroken):
        Sealer([CustomerKey("one", b"2" * 32)]).unseal(blob, "row:1")


def test_a_kid_that_begins_like_another_is_another():
    longer = CustomerKey("one-more", b"3" * 32)
    assert not Sealer([ONE]).is_current(Sealer([longer]).seal(b"ci", "row:1"))


def test_a_customer_is_found_under_every_key():
    both = Sealer([TWO, ONE])
    assert both.customer("ci") == Sealer([TWO]).customer("ci")
    assert both.customers("ci") == (Sealer([TWO]).customer("ci"), Sealer([ONE]).customer("ci"))
    assert both.customer("ci") != both.customer("ci2")
    assert len(both.customer("ci")) == 32


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "no customer key"),
        ([ONE, CustomerKey("one", b"3" * 32)], "two customer keys of the same kid"),
        ([CustomerKey("short", b"1" * 31)], "the customer key short is not 32 bytes long"),
        ([CustomerKey("", b"1" * 32)], "a kid has 1 to 255 characters"),
        ([CustomerKey("k" * 256, b"1" * 32)], "a kid has 1 to 255 characters"),
    ],
)
def test_keys_that_cannot_be_used_are_refused(keys, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        Sealer(keys)


def test_no_key_is_ever_shown():
    key = CustomerKey("one", b"Zq7marker-Zq7marker-Zq7marker-Zq")
    assert "Zq7marker" not in repr(key) + repr(Sealer([key]))
    assert repr(Sealer([ONE, TWO])) == "Sealer(one, two)"
