"""A blob unseals with its key, in its context, unchanged."""

import pytest

from relay.infra.ledger.database.sealing import CustomerKey, Sealer, UnsealError

ONE = CustomerKey("one", b"1" * 32)
TWO = CustomerKey("two", b"2" * 32)


@pytest.mark.parametrize("text", [b"", b"ci", "한글".encode(), bytes(10_000)])
def test_a_sealed_text_is_unsealed(text):
    sealer = Sealer([ONE])
    assert sealer.unseal(sealer.seal(text, "row:1"), "row:1") == text


def test_the_same_text_never_gives_the_same_blob():
    sealer = Sealer([ONE])
    assert len({sealer.seal(b"ci", "row:1") for _ in range(100)}) == 100


def test_a_blob_unseals_in_its_context_only():
    sealer = Sealer([ONE])
    with pytest.raises(UnsealError, match=r"^the customer key 'one' does not open row$"):
        sealer.unseal(sealer.seal(b"ci", "row:1"), "row:2")


def test_any_changed_bit_is_detected():
    sealer = Sealer([ONE])
    blob = sealer.seal(b"ci", "row:1")
    for index in range(len(blob)):
        changed = bytearray(blob)
        changed[index] ^= 1
        with pytest.raises(UnsealError):
            sealer.unseal(bytes(changed), "row:1")


def test_any_truncated_blob_is_refused():
    sealer = Sealer([ONE])
    blob = sealer.seal(b"ci", "row:1")
    for end in range(len(blob)):
        with pytest.raises(UnsealError):
            sealer.unseal(blob[:end], "row:1")


def test_the_first_key_seals_and_all_keys_unseal():
    old = Sealer([ONE]).seal(b"ci", "row:1")
    both = Sealer([TWO, ONE])
    new = both.seal(b"ci", "row:1")
    assert [both.unseal(blob, "row:1") for blob in (old, new)] == [b"ci", b"ci"]
    assert [both.is_current(blob) for blob in (old, new)] == [False, True]
    with pytest.raises(UnsealError, match=r"^no customer key 'two' to open row$"):
        Sealer([ONE]).unseal(new, "row:1")


def test_another_key_of_the_same_kid_does_not_unseal():
    blob = Sealer([ONE]).seal(b"ci", "row:1")
    with pytest.raises(UnsealError):
        Sealer([CustomerKey("one", b"2" * 32)]).unseal(blob, "row:1")


def test_a_kid_with_the_same_prefix_is_another_kid():
    longer = CustomerKey("one-more", b"3" * 32)
    assert not Sealer([ONE]).is_current(Sealer([longer]).seal(b"ci", "row:1"))


def test_a_customer_has_a_digest_of_every_key():
    both = Sealer([TWO, ONE])
    assert both.customer_digest("ci") == Sealer([TWO]).customer_digest("ci")
    assert both.customer_digests("ci") == (Sealer([TWO]).customer_digest("ci"), Sealer([ONE]).customer_digest("ci"))
    assert both.customer_digest("ci") != both.customer_digest("ci2")
    assert len(both.customer_digest("ci")) == 32


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([], "no customer key"),
        ([ONE, CustomerKey("one", b"3" * 32)], "two customer keys of the same kid"),
        ([CustomerKey("short", b"1" * 31)], "the customer key short is not 32 bytes long"),
        ([CustomerKey("", b"1" * 32)], "a kid has 1 to 255 characters"),
        ([CustomerKey("k" * 256, b"1" * 32)], "a kid has 1 to 255 characters"),
    ],
)
def test_unusable_keys_are_refused(keys, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Sealer(keys)


def test_repr_hides_keys():
    key = CustomerKey("one", b"Zq7marker-Zq7marker-Zq7marker-Zq")
    assert "Zq7marker" not in repr(key) + repr(Sealer([key]))
    assert repr(Sealer([ONE, TWO])) == "Sealer(one, two)"


def test_each_customer_key_makes_marks_of_transfers_in_its_own_way():
    keys = Sealer([ONE, TWO]).transfer_keys
    assert Sealer([TWO, ONE]).transfer_keys == keys[::-1]
    assert len({*keys, ONE.key, TWO.key}) == 4
    assert {len(key) for key in keys} == {32}
