from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.registry import (
    Organisation,
    OrgType,
    RegisteredService,
    Registry,
    RegistryChanges,
    RegistryHistory,
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
    return judge(registry, changes, past or RegistryHistory(), guard, relay, now).reasons


def operator(number, **change_organisations):
    return replace(
        Organisation(f"OPER{number:06}", OrgType.OPERATOR, "가상 사업자", f"999-81-{number:05}", ("192.0.2.1",)),
        **change_organisations,
    )


def service(number, owner=None):
    return RegisteredService(f"client{number}", f"OPER{number if owner is None else owner:06}", "가상 서비스", "h")


def registry(count, services=0):
    us = Organisation(RELAY, OrgType.RELAY, "중계기관", "1")
    orgs = [us, *map(operator, range(1, count))]
    services_ = [service(number, number % (count - 1) + 1) for number in range(services)]
    return Registry({item.org_code: item for item in orgs}, {item.client_id: item for item in services_}, 1)


def make_changes(organisations=(), services=()):
    return RegistryChanges(dict(organisations), dict(services), "1", "1")


def make_removals(*numbers):
    return make_changes({operator(number).org_code: None for number in numbers})


@pytest.mark.parametrize(
    ("known", "count", "held"), [(10, 3, False), (10, 4, True), (100, 5, False), (100, 6, True), (200, 10, False)]
)
def test_more_removals_than_share_and_minimum_are_held(known, count, held):
    actual = reasons(registry(known), make_removals(*range(1, count + 1)), GUARD, RELAY)
    words = f"{count} {OF.format(known)}: {count} removed"
    assert actual == ((words,) if held else ())


def test_different_harms_count_together():
    changes = make_changes(
        {
            "OPER000001": None,
            "OPER000002": operator(2, serial_num="other"),
            "OPER000003": operator(3, serial_num="other"),
            "OPER000004": operator(4, org_type=OrgType.OTHER),
            "OPER000099": operator(99),
            "OPER000098": None,
        }
    )
    counts = "1 allowed to call no more, 2 given another serial_num, 1 removed"
    words = f"4 {OF.format(20)}: {counts}"
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
def test_a_single_change_of_one_institution_passes(new):
    assert reasons(registry(2), make_changes({"OPER000001": new}), GUARD, RELAY) == ()


def test_serial_and_addresses_changed_at_once_are_held():
    changes = make_changes({"OPER000001": operator(1, serial_num="other", addresses=("192.0.2.9",))})
    words = "serial_num and addresses would change within 7 days: OPER000001"
    assert reasons(registry(1000), changes, GUARD, RELAY) == (words,)


def test_reordered_addresses_are_no_change():
    before = operator(1, addresses=("192.0.2.1", "192.0.2.2"))
    known = Registry({before.org_code: before}, {})
    changes = make_changes({"OPER000001": operator(1, serial_num="other", addresses=("192.0.2.2", "192.0.2.1"))})
    assert reasons(known, changes, GUARD, RELAY) == ()


def test_a_first_certificate_is_no_replacement():
    before = operator(1, serial_num="", addresses=())
    assert (
        reasons(Registry({before.org_code: before}, {}), make_changes({"OPER000001": operator(1)}), GUARD, RELAY) == ()
    )


def test_ten_organisations_are_named_and_the_others_counted():
    changes = make_changes(
        {
            operator(number).org_code: operator(number, serial_num="x", addresses=("192.0.2.9",))
            for number in range(1, 13)
        }
    )
    *_, words = reasons(registry(1000), changes, GUARD, RELAY)
    assert words.endswith("OPER000009, OPER000010 and 2 more")


@pytest.mark.parametrize(("known", "count", "held"), [(20, 3, False), (20, 4, True), (2, 2, True), (1, 1, False)])
def test_removed_services_are_held_by_share_or_when_none_is_left(known, count, held):
    changes = make_changes(services={f"client{number}": None for number in range(count)})
    actual = reasons(registry(5, known), changes, GUARD, RELAY)
    assert bool(actual) == held
    assert (f"{count} {OF_SERVICES.format(known)}: {count} removed" in actual) == (count == 4)


def test_services_removed_with_their_operator_count_with_it():
    services = [service(number, 1) for number in range(9)]
    known = Registry({operator(1).org_code: operator(1)}, {item.client_id: item for item in services})
    changes = make_changes({"OPER000001": None}, {item.client_id: None for item in services})
    assert reasons(known, changes, GUARD, RELAY) == ()


def test_a_service_moved_to_another_operator_is_held():
    changes = make_changes(services={"client1": service(1, 3)})
    words = "services would pass from one operator to another: OPER000002 to OPER000003"
    assert reasons(registry(9, 9), changes, GUARD, RELAY) == (words,)


def test_a_list_without_this_relay_is_held():
    assert reasons(registry(9), make_changes({RELAY: None}), GUARD, RELAY) == (
        f"this relay itself would be removed: {RELAY}",
    )


@given(count=st.integers(1, 200), share=st.floats(0, 1), least=st.integers(0, 50))
def test_the_first_load_is_never_held(count, share, least):
    changes = make_changes({org.org_code: org for org in map(operator, range(count))})
    assert reasons(Registry({}, {}), changes, Guard(share=share, least=least), RELAY) == ()


@given(known=st.integers(2, 120), data=st.data(), share=st.floats(0, 1), least=st.integers(0, 50))
def test_removals_are_held_exactly_above_the_limit(known, data, share, least):
    count = data.draw(st.integers(0, known - 1))
    actual = reasons(registry(known), make_removals(*range(1, count + 1)), Guard(share=share, least=least), RELAY)
    assert bool(actual) == (count > max(share * known, least))


@given(known=st.integers(2, 60), new=st.sets(st.integers(100, 999), max_size=300))
def test_new_organisations_are_never_held(known, new):
    changes = make_changes(
        {operator(number).org_code: operator(number) for number in new},
        {service(number).client_id: service(number) for number in new},
    )
    assert reasons(registry(known), changes, Guard(share=0, least=0), RELAY) == ()


@given(gone=st.sets(st.integers(1, 59)), more=st.sets(st.integers(1, 59)), least=st.integers(0, 60))
def test_a_held_sync_stays_held_with_more_removals(gone, more, least):
    guard = Guard(share=0, least=least)
    if reasons(registry(60), make_removals(*gone), guard, RELAY):
        assert reasons(registry(60), make_removals(*gone, *more), guard, RELAY)


def test_each_institution_counts_once_for_several_changes():
    changes = make_changes(
        {operator(at).org_code: operator(at, addresses=("192.0.2.9",)) for at in (2, 3, 4)},
        {f"client{at}": replace(service(at, at + 1), secret_hash="new", callbacks=("x",)) for at in (1, 2, 3)},
    )
    assert reasons(registry(20, 10), changes) == ()


def change_organisations(week, *numbers, **values):
    known = week.registry.organisations
    return make_changes({operator(at).org_code: replace(known[operator(at).org_code], **values) for at in numbers})


def test_addresses_then_serials_count_as_one_replacement(week_of):
    week = week_of(registry(100))
    assert week.sync(change_organisations(week, 1, 2, addresses=("192.0.2.9",)))
    week.now += 3 * DAY
    assert not week.sync(change_organisations(week, 1, 2, serial_num="other"))
    week.now += 3 * DAY
    assert not week.sync(change_organisations(week, 1, serial_num="other"))
    week.now += 2 * DAY
    assert week.sync(change_organisations(week, 1, serial_num="other"))


def test_a_removed_organisation_cannot_return_as_another(week_of):
    week = week_of(registry(100))
    assert week.sync(make_removals(1))
    week.now += DAY
    impostor = operator(1, serial_num="other", addresses=("192.0.2.9",))
    assert not week.sync(make_changes({"OPER000001": impostor}))
    assert week.sync(make_changes({"OPER000001": operator(1)}))


def test_a_service_cannot_move_by_removal_and_return(week_of):
    week = week_of(registry(9, 9))
    assert week.sync(make_changes(services={"client1": None}))
    words = "services would pass from one operator to another: OPER000002 to OPER000003"
    assert reasons(week.registry, make_changes(services={"client1": service(1, 3)}), past=week.past) == (words,)


def test_repeated_small_removals_do_not_empty_the_list(week_of):
    week = week_of(registry(60))
    gone = 0
    for first in range(1, 58, 3):
        gone += 3 * week.sync(make_removals(first, first + 1, first + 2))
        week.now += 600
    assert gone == 3
    words = f"6 {OF.format(60)}: 3 removed; 3 by earlier syncs: OPER000001, OPER000002, OPER000003"
    assert reasons(week.registry, make_removals(4, 5, 6), past=week.past, now=week.now) == (words,)
    week.now += 7 * DAY
    assert week.sync(make_removals(4, 5, 6))


def test_different_harms_of_different_institutions_count_together(week_of):
    week = week_of(registry(20, 19))
    assert week.sync(make_removals(1))
    assert week.sync(change_organisations(week, 2, addresses=("192.0.2.9",)))
    assert week.sync(make_changes(services={"client2": replace(service(2, 3), secret_hash="new")}))
    assert not week.sync(
        make_changes(services={"client3": replace(service(3, 4), callbacks=("x",), secret_hash="new")})
    )
    assert week.sync(make_changes(services={"client2": replace(service(2, 3), secret_hash="newer")}))


def test_new_organisations_do_not_enlarge_the_share(week_of):
    week = week_of(registry(20))
    assert week.sync(make_changes({operator(at).org_code: operator(at) for at in range(100, 900)}))
    assert not week.sync(make_removals(1, 2, 3, 4))
    week.now += 6 * DAY
    assert not week.sync(make_removals(1, 2, 3, 4))


def test_a_release_restarts_the_week_for_what_it_changed(week_of):
    week = week_of(registry(20))
    assert week.sync(change_organisations(week, 1, 2, 3, addresses=("192.0.2.9",)))
    assert week.sync(change_organisations(week, 1, 2, 3, 4, serial_num="other"), released=True)
    assert week.sync(change_organisations(week, 4, 5, 6, addresses=("192.0.2.8",)))


def test_a_release_can_be_undone(week_of):
    week = week_of(registry(20))
    wrong = change_organisations(week, *range(1, 20), serial_num="wrong", addresses=("192.0.2.9",))
    before = dict(week.registry.organisations)
    assert not week.sync(wrong)
    assert week.sync(wrong, released=True)
    week.now += DAY
    assert week.sync(make_changes({code: org for code, org in before.items() if code != RELAY}))


def test_a_sync_without_further_harm_passes_at_the_limit(week_of):
    week = week_of(registry(20))
    assert week.sync(make_removals(1, 2, 3))
    assert week.sync(change_organisations(week, 4, name="새 이름"))
    assert week.sync(make_changes({operator(50).org_code: operator(50)}))
    assert not week.sync(make_removals(4))


def test_harmful_changes_include_everything_related():
    known = registry(9, 8)
    new = make_changes(
        {RELAY: None, "OPER000001": None, "OPER000002": operator(2, serial_num="x", addresses=("192.0.2.9",))},
        {"client0": None, "client3": service(3, 1), "client5": replace(service(5, 6), name="새 이름")},
    )
    new = replace(new, organisations=new.organisations | {"OPER000050": operator(50)})
    judgement = judge(known, new, RegistryHistory(), GUARD, RELAY, NOW)
    assert judgement.harmful.organisations == {RELAY, "OPER000001", "OPER000002"}
    assert judgement.harmful.services == {"client0", "client3"}
    assert judgement.counted.services == {"client3"}


@pytest.mark.parametrize(("count", "held"), [(19, False), (20, True)])
def test_too_many_organisations_with_one_certificate_are_held(count, held):
    """Each call with that certificate checks all of them: 50,000 would stop the gateway."""
    crowd = {operator(at).org_code: operator(at, serial_num="999 81 00001") for at in range(100, 100 + count)}
    changes = make_changes(crowd | {operator(50).org_code: operator(50)})
    words = "more than 20 organisations would share a serial_num: 21 with 9998100001"
    assert reasons(registry(9), changes) == ((words,) if held else ())
    judgement = judge(registry(9), changes, RegistryHistory(), GUARD, RELAY, NOW)
    assert set(judgement.harmful.organisations) == (set(crowd) if held else set())


def test_an_organisation_with_a_shared_certificate_may_change():
    known = registry(9)
    known.organisations.update({operator(at).org_code: operator(at, serial_num="one") for at in range(100, 130)})
    changes = make_changes({operator(100).org_code: operator(100, serial_num="one", name="새 이름")})
    assert reasons(known, changes) == ()
