"""Rotation never leaves a valid token without its key."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from relay.infra.tokens.key_folder import TokenKey, TokenKeyError, read_keys, write_key_set
from relay.infra.tokens.rotation import KeyState, assess_keys, prune, rotate

NOW = 1_800_000_000
YEAR = 365 * 86_400


def key(kid, signs_from):
    return TokenKey(kid, "ES256", None, signs_from)


def summarize(keys, now=NOW):
    return {status.key.kid: (status.state, status.needed_until) for status in assess_keys(keys, now, YEAR)}


def test_the_newest_started_key_signs():
    keys = [key("older", NOW - 200), key("old", NOW - 100), key("new", NOW), key("next", NOW + 60), key("plain", None)]
    assert summarize(keys) == {
        "older": (KeyState.VERIFIES, NOW - 100 + YEAR),
        "old": (KeyState.VERIFIES, NOW + YEAR),
        "new": (KeyState.SIGNS, NOW + 60 + YEAR),
        "next": (KeyState.WAITS, None),
        "plain": (KeyState.VERIFIES, None),
    }


def test_the_order_of_the_set_does_not_matter():
    keys = [key("b", NOW), key("c", NOW + 60), key("a", NOW - 100)]
    assert summarize(keys) == summarize(keys[::-1])


def test_the_first_key_signs_at_once_and_the_next_after_the_overlap(tmp_path):
    folder = tmp_path / "new" / "keys"
    assert rotate(folder, "one", NOW, 60).signs_from == NOW
    assert rotate(folder, "two", NOW + 10, 60).signs_from == NOW + 70
    assert [key.kid for key in read_keys(folder)] == ["one", "two"]
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.glob("*.pem")} == {
        "one.pem": 0o600,
        "two.pem": 0o600,
    }
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_new_key_signs_at_once_if_no_other_signs(tmp_path):
    first = rotate(tmp_path, "one", NOW, 60)
    write_key_set(tmp_path, [TokenKey("one", "ES256", first.public, None)])
    assert rotate(tmp_path, "two", NOW, 60).signs_from == NOW


@pytest.mark.parametrize(
    ("now", "remaining"),
    [
        (NOW + 60 + YEAR - 1, ["one", "two", "three"]),
        (NOW + 60 + YEAR, ["two", "three"]),
        (NOW + 160 + YEAR - 1, ["two", "three"]),
        (NOW + 160 + YEAR, ["three"]),
        (NOW + 100 * YEAR, ["three"]),
    ],
)
def test_a_key_is_removed_after_its_last_token_expired(tmp_path, now, remaining):
    for kid, at in (("one", NOW), ("two", NOW), ("three", NOW + 100)):
        rotate(tmp_path, kid, at, 60)
    removed = prune(tmp_path, now, YEAR)
    assert [*removed, *remaining] == ["one", "two", "three"]
    assert [key.kid for key in read_keys(tmp_path)] == remaining
    assert {file.stem for file in tmp_path.glob("*.pem")} == set(remaining)


def test_a_key_without_signs_from_is_never_removed(tmp_path):
    first = rotate(tmp_path, "plain", NOW, 0)
    write_key_set(tmp_path, [TokenKey("plain", "ES256", first.public, None)])
    rotate(tmp_path, "one", NOW, 0)
    assert prune(tmp_path, NOW + 100 * YEAR, YEAR) == ()


def test_concurrent_rotations_lose_no_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: rotate(tmp_path, f"key{number}", NOW, 60), range(16)))
    keys = read_keys(tmp_path)
    assert {key.kid for key in keys} == {f"key{number}" for number in range(16)}
    assert sorted(key.signs_from for key in keys) == [NOW] + [NOW + 60] * 15


def test_pruning_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(TokenKeyError, match="relay keys rotate"):
        prune(tmp_path, NOW, YEAR)
