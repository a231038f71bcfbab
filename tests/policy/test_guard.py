from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry, RegistryChanges
from relay.policy.guard import reasons
from relay.policy.portal import Guard

RELAY = "RLAY000001"
GUARD = Guard()


def operator(number, **changed):
    return replace(
        Organisation(f"OPER{number:06}", OrgType.OPERATOR, "가상 사업자", f"999-81-{number:05}", ("192.0.2.1",)),
        **changed,
    )


def service(number, owner=None):
    return RegisteredService(f"client{number}", f"OPER{number if owner is None else owner:06}", "가상 서비스", "h")


def registry(count, services=0):
    us = Organisation(RELAY, OrgType.RELAY, "중계기관", "1")
    orgs = [us, *map(operator, range(1, count))]
    told = [service(number, number % (count - 1) + 1) for number in range(services)]
    return Registry({one.org_code: one for one in orgs}, {one.client_id: one for one in told}, 1)


def changing(organisations=(), services=()):
    return RegistryChanges(dict(organisations), dict(services), "1", "1")


def removed(*numbers):
    return changing({operator(number).org_code: None for number in numbers})


@pytest.mark.parametrize(
    ("known", "count", "held"), [(10, 3, False), (10, 4, True), (100, 5, False), (100, 6, True), (200, 10, False)]
)
def test_more_than_the_share_and_the_least_are_held(known, count, held):
    found = reasons(registry(known), removed(*range(1, count + 1)), GUARD, RELAY)
    words = f"{count} of {known} organisations would be cut off or re-keyed at once: {count} removed"
    assert found == ((words,) if held else ())


def test_removed_and_rekeyed_and_silenced_count_together():
    changes = changing(
        {
            "OPER000001": None,
            "OPER000002": operator(2, serial_num="other"),
            "OPER000003": operator(3, serial_num="other"),
            "OPER000004": operator(4, org_type=OrgType.OTHER),
            "OPER000099": operator(99),
            "OPER000098": None,
        }
    )
    told = "1 allowed to call no more, 2 given another serial_num, 1 removed"
    words = f"4 of 20 organisations would be cut off or re-keyed at once: {told}"
    assert reasons(registry(20), changes, GUARD, RELAY) == (words,)


@pytest.mark.parametrize(
    "new",
    [
        operator(1, addresses=("192.0.2.9",)),
        operator(1, serial_num="999 81 00001", addresses=("192.0.2.9",)),
        operator(1, serial_num="999-81-77777"),
        operator(1, name="새 이름"),
        None,
    ],
)
def test_one_change_of_one_institution_passes(new):
    assert reasons(registry(2), changing({"OPER000001": new}), GUARD, RELAY) == ()


def test_serial_and_addresses_of_one_at_once_are_held():
    changes = changing({"OPER000001": operator(1, serial_num="other", addresses=("192.0.2.9",))})
    words = "serial_num and addresses would change at once: OPER000001"
    assert reasons(registry(1000), changes, GUARD, RELAY) == (words,)


def test_addresses_in_another_order_are_no_change_of_addresses():
    before = operator(1, addresses=("192.0.2.1", "192.0.2.2"))
    known = Registry({before.org_code: before}, {})
    changes = changing({"OPER000001": operator(1, serial_num="other", addresses=("192.0.2.2", "192.0.2.1"))})
    assert reasons(known, changes, GUARD, RELAY) == ()


def test_the_first_certificate_of_an_institution_is_no_other():
    before = operator(1, serial_num="", addresses=())
    assert reasons(Registry({before.org_code: before}, {}), changing({"OPER000001": operator(1)}), GUARD, RELAY) == ()


def test_ten_are_named_and_the_others_counted():
    changes = changing(
        {
            operator(number).org_code: operator(number, serial_num="x", addresses=("192.0.2.9",))
            for number in range(1, 13)
        }
    )
    *_, words = reasons(registry(1000), changes, GUARD, RELAY)
    assert words.endswith("OPER000009, OPER000010 and 2 more")


@pytest.mark.parametrize(("known", "count", "held"), [(20, 3, False), (20, 4, True), (2, 2, True), (1, 1, False)])
def test_services_that_disappear_are_held_by_the_same_measure_or_when_none_is_left(known, count, held):
    changes = changing(services={f"client{number}": None for number in range(count)})
    words = f"{count} of {known} services would be removed at once, though their operators stay"
    assert reasons(registry(5, known), changes, GUARD, RELAY) == ((words,) if held else ())


def test_services_that_go_with_their_operator_count_with_it():
    services = [service(number, 1) for number in range(9)]
    known = Registry({operator(1).org_code: operator(1)}, {one.client_id: one for one in services})
    changes = changing({"OPER000001": None}, {one.client_id: None for one in services})
    assert reasons(known, changes, GUARD, RELAY) == ()


def test_a_service_in_other_hands_is_held():
    changes = changing(services={"client1": service(1, 3)})
    words = "services would pass from one operator to another: OPER000002 to OPER000003"
    assert reasons(registry(9, 9), changes, GUARD, RELAY) == (words,)


def test_a_list_that_misses_this_relay_is_held():
    assert reasons(registry(9), changing({RELAY: None}), GUARD, RELAY) == (
        f"this relay itself would be removed: {RELAY}",
    )


@given(count=st.integers(1, 200), share=st.floats(0, 1), least=st.integers(0, 50))
def test_the_first_load_is_never_held(count, share, least):
    changes = changing({one.org_code: one for one in map(operator, range(count))})
    assert reasons(Registry({}, {}), changes, Guard(share=share, least=least), RELAY) == ()


@given(known=st.integers(2, 120), data=st.data(), share=st.floats(0, 1), least=st.integers(0, 50))
def test_removals_are_held_exactly_above_the_measure(known, data, share, least):
    count = data.draw(st.integers(0, known - 1))
    found = reasons(registry(known), removed(*range(1, count + 1)), Guard(share=share, least=least), RELAY)
    assert bool(found) == (count > max(share * known, least))


@given(known=st.integers(2, 60), new=st.sets(st.integers(100, 999), max_size=300))
def test_newcomers_are_never_held(known, new):
    changes = changing(
        {operator(number).org_code: operator(number) for number in new},
        {service(number).client_id: service(number) for number in new},
    )
    assert reasons(registry(known), changes, Guard(share=0, least=0), RELAY) == ()


@given(gone=st.sets(st.integers(1, 59)), more=st.sets(st.integers(1, 59)), least=st.integers(0, 60))
def test_what_is_held_stays_held_when_more_goes(gone, more, least):
    guard = Guard(share=0, least=least)
    if reasons(registry(60), removed(*gone), guard, RELAY):
        assert reasons(registry(60), removed(*gone, *more), guard, RELAY)
