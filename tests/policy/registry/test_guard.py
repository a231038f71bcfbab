from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.registry import (
    Organisation,
    OrgType,
    Past,
    RegisteredService,
    Registry,
    RegistryChanges,
)
from relay.policy.registry.guard import judge
from relay.policy.settings.portal import Guard

RELAY = "RLAY000001"
GUARD = Guard()
OF = "of {} organisations would be cut off, re-keyed, redirected or re-timed within 7 days"
OF_SERVICES = "of {} services whose operators stay would be removed, re-keyed or redirected within 7 days"
NOW = 1_800_000_000
DAY = 86_400


def reasons(registry, changes, guard=GUARD, relay=RELAY, past=None, now=NOW):
    return judge(registry, changes, past or Past(), guard, relay, now).reasons


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
    words = f"{count} {OF.format(known)}: {count} removed"
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
    words = f"4 {OF.format(20)}: {told}"
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
    words = "serial_num and addresses would change within 7 days: OPER000001"
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
    found = reasons(registry(5, known), changes, GUARD, RELAY)
    assert bool(found) == held
    assert (f"{count} {OF_SERVICES.format(known)}: {count} removed" in found) == (count == 4)


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


def test_each_institution_counts_once_whatever_happens_to_it():
    changes = changing(
        {operator(at).org_code: operator(at, addresses=("192.0.2.9",)) for at in (2, 3, 4)},
        {f"client{at}": replace(service(at, at + 1), secret_hash="new", callbacks=("x",)) for at in (1, 2, 3)},
    )
    assert reasons(registry(20, 10), changes) == ()


def changed(week, *numbers, **how):
    known = week.registry.organisations
    return changing({operator(at).org_code: replace(known[operator(at).org_code], **how) for at in numbers})


def test_addresses_first_and_serials_next_do_not_pass_as_two(week_of):
    week = week_of(registry(100))
    assert week.sync(changed(week, 1, 2, addresses=("192.0.2.9",)))
    week.now += 3 * DAY
    assert not week.sync(changed(week, 1, 2, serial_num="other"))
    week.now += 3 * DAY
    assert not week.sync(changed(week, 1, serial_num="other"))
    week.now += 2 * DAY
    assert week.sync(changed(week, 1, serial_num="other"))


def test_who_went_does_not_come_back_with_certificate_and_addresses_of_another(week_of):
    week = week_of(registry(100))
    assert week.sync(removed(1))
    week.now += DAY
    stranger = operator(1, serial_num="other", addresses=("192.0.2.9",))
    assert not week.sync(changing({"OPER000001": stranger}))
    assert week.sync(changing({"OPER000001": operator(1)}))


def test_a_service_does_not_change_hands_by_going_and_coming_back(week_of):
    week = week_of(registry(9, 9))
    assert week.sync(changing(services={"client1": None}))
    words = "services would pass from one operator to another: OPER000002 to OPER000003"
    assert reasons(week.registry, changing(services={"client1": service(1, 3)}), past=week.past) == (words,)


def test_three_removals_a_time_do_not_empty_the_list(week_of):
    week = week_of(registry(60))
    gone = 0
    for first in range(1, 58, 3):
        gone += 3 * week.sync(removed(first, first + 1, first + 2))
        week.now += 600
    assert gone == 3
    words = f"6 {OF.format(60)}: 3 removed; 3 by earlier syncs: OPER000001, OPER000002, OPER000003"
    assert reasons(week.registry, removed(4, 5, 6), past=week.past, now=week.now) == (words,)
    week.now += 7 * DAY
    assert week.sync(removed(4, 5, 6))


def test_different_harms_of_different_institutions_count_together(week_of):
    week = week_of(registry(20, 19))
    assert week.sync(removed(1))
    assert week.sync(changed(week, 2, addresses=("192.0.2.9",)))
    assert week.sync(changing(services={"client2": replace(service(2, 3), secret_hash="new")}))
    assert not week.sync(changing(services={"client3": replace(service(3, 4), callbacks=("x",), secret_hash="new")}))
    assert week.sync(changing(services={"client2": replace(service(2, 3), secret_hash="newer")}))


def test_newcomers_do_not_make_the_share_larger(week_of):
    week = week_of(registry(20))
    assert week.sync(changing({operator(at).org_code: operator(at) for at in range(100, 900)}))
    assert not week.sync(removed(1, 2, 3, 4))
    week.now += 6 * DAY
    assert not week.sync(removed(1, 2, 3, 4))


def test_a_release_begins_the_week_anew_for_what_it_changed(week_of):
    week = week_of(registry(20))
    assert week.sync(changed(week, 1, 2, 3, addresses=("192.0.2.9",)))
    assert week.sync(changed(week, 1, 2, 3, 4, serial_num="other"), released=True)
    assert week.sync(changed(week, 4, 5, 6, addresses=("192.0.2.8",)))


def test_the_way_back_from_a_release_is_open(week_of):
    week = week_of(registry(20))
    wrong = changed(week, *range(1, 20), serial_num="wrong", addresses=("192.0.2.9",))
    before = dict(week.registry.organisations)
    assert not week.sync(wrong)
    assert week.sync(wrong, released=True)
    week.now += DAY
    assert week.sync(changing({code: one for code, one in before.items() if code != RELAY}))


def test_a_sync_that_harms_nobody_further_passes_though_the_share_is_used_up(week_of):
    week = week_of(registry(20))
    assert week.sync(removed(1, 2, 3))
    assert week.sync(changed(week, 4, name="새 이름"))
    assert week.sync(changing({operator(50).org_code: operator(50)}))
    assert not week.sync(removed(4))


def test_what_is_harmful_is_told_with_all_that_belongs_to_it():
    known = registry(9, 8)
    new = changing(
        {RELAY: None, "OPER000001": None, "OPER000002": operator(2, serial_num="x", addresses=("192.0.2.9",))},
        {"client0": None, "client3": service(3, 1), "client5": replace(service(5, 6), name="새 이름")},
    )
    new = replace(new, organisations=new.organisations | {"OPER000050": operator(50)})
    found = judge(known, new, Past(), GUARD, RELAY, NOW)
    assert found.harmful.organisations == {RELAY, "OPER000001", "OPER000002"}
    assert found.harmful.services == {"client0", "client3"}
    assert found.counted.services == {"client3"}


@pytest.mark.parametrize(("count", "held"), [(19, False), (20, True)])
def test_a_crowd_under_one_certificate_is_held(count, held):
    """Each call with that certificate would look at all of them: 50,000 would stop the gateway."""
    crowd = {operator(at).org_code: operator(at, serial_num="999 81 00001") for at in range(100, 100 + count)}
    changes = changing(crowd | {operator(50).org_code: operator(50)})
    words = "more than 20 organisations would share a serial_num: 21 with 9998100001"
    assert reasons(registry(9), changes) == ((words,) if held else ())
    found = judge(registry(9), changes, Past(), GUARD, RELAY, NOW)
    assert set(found.harmful.organisations) == (set(crowd) if held else set())


def test_who_shares_a_certificate_already_may_change_otherwise():
    known = registry(9)
    known.organisations.update({operator(at).org_code: operator(at, serial_num="one") for at in range(100, 130)})
    changes = changing({operator(100).org_code: operator(100, serial_num="one", name="새 이름")})
    assert reasons(known, changes) == ()
