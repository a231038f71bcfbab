import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.fault import Refusal
from relay.policy.mediation.paging.seal import MAX_CURSOR, CursorSeal, Position, compute_binding

SEAL = CursorSeal(b"k" * 32)
PARAMETERS = {"org_code": "ZBAC000001", "account_num": "110", "from_date": "20260101", "limit": "10"}
BINDING = compute_binding("consent-1", "ZBAC000001", "BA04", PARAMETERS)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=3).map(tuple), st.integers(0, 500))
def test_a_cursor_opens_to_its_position(key, skip):
    assert SEAL.open(SEAL.seal(Position(key, skip), BINDING), BINDING) == Position(key, skip)


def test_a_cursor_is_url_safe_and_hides_the_key():
    cursor = SEAL.seal(Position(("20260131", "000000000012"), 3), BINDING)
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert b"20260131" not in base64.urlsafe_b64decode(cursor + "==")


@pytest.mark.parametrize(
    "binding",
    [
        compute_binding("consent-2", "ZBAC000001", "BA04", PARAMETERS),
        compute_binding("consent-1", "ZBAC000002", "BA04", PARAMETERS),
        compute_binding("consent-1", "ZBAC000001", "BA23", PARAMETERS),
        compute_binding("consent-1", "ZBAC000001", "BA04", {**PARAMETERS, "account_num": "111"}),
        compute_binding("consent-1", "ZBAC000001", "BA04", {**PARAMETERS, "from_date": "20260102"}),
    ],
    ids=["consent", "institution", "API", "account", "period"],
)
def test_a_cursor_of_another_call_is_refused(binding):
    cursor = SEAL.seal(Position(("key",)), BINDING)
    with pytest.raises(Refusal) as caught:
        SEAL.open(cursor, binding)
    assert (caught.value.fault.rsp_code, caught.value.fault.status, caught.value.detail) == (
        "40001",
        400,
        "next_page (같은 조회의 이전 응답에 있는 값)",
    )


def test_pages_may_have_different_limits():
    binding = compute_binding("consent-1", "ZBAC000001", "BA04", {**PARAMETERS, "limit": "20", "next_page": "x"})
    assert SEAL.open(SEAL.seal(Position(("key",)), BINDING), binding) == Position(("key",))


@pytest.mark.parametrize("cursor", ["x", "한글", "====", "A" * 40, "", "not base64!", "A" * 999])
def test_a_cursor_that_is_none_is_refused(cursor):
    with pytest.raises(Refusal):
        SEAL.open(cursor, BINDING)


@given(st.integers(0, 59), st.integers(1, 63))
def test_a_changed_cursor_is_refused(at, change):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    cursor = SEAL.seal(Position(("0123456789" * 3,)), BINDING)
    changed = alphabet[(alphabet.index(cursor[at]) + change) % 64]
    with pytest.raises(Refusal):
        SEAL.open(cursor[:at] + changed + cursor[at + 1 :], BINDING)


def test_a_cursor_of_another_relay_key_is_refused():
    with pytest.raises(Refusal):
        CursorSeal(b"o" * 32).open(SEAL.seal(Position(("key",)), BINDING), BINDING)


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        CursorSeal(b"k" * 31)


def test_a_position_too_long_for_a_cursor_is_refused():
    with pytest.raises(ValueError, match="too long"):
        SEAL.seal(Position(("k" * MAX_CURSOR,)), BINDING)
