"""Rows of syncs: never more than the share within a week, and the way back is never held."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry, RegistryChanges
from relay.policy.registry.guard import judge
from relay.policy.settings.portal import Guard

RELAY = "RLAY000001"
DAY = 86_400


def operator(number):
    code = f"OPER{number:06}"
    return Organisation(
        code, OrgType.OPERATOR, "가상 사업자", f"999-81-{number:05}", ("192.0.2.1",), relay=RELAY, slots=("0100:0700",)
    )


def service(number):
    return RegisteredService(f"client{number}", f"OPER{number:06}", "가상 서비스", "hash", ("https://one.example/",))


ORGANISATIONS = {RELAY: Organisation(RELAY, OrgType.RELAY, "중계기관", "1")} | {
    one.org_code: one for one in map(operator, range(1, 16))
}
SERVICES = {one.client_id: one for one in map(service, range(1, 15))}
STEP = st.tuples(
    st.sampled_from(["addresses", "serial_num", "slots", "remove", "restore", "secret_hash", "callbacks", "drop"]),
    st.sets(st.integers(1, 14), min_size=1, max_size=4),
    st.sampled_from(["a", "b"]),
    st.integers(1, 3 * DAY),
    st.booleans(),
)


def step_of(week, kind, numbers, value, first):
    """A sync of one kind of change at some institutions."""
    orgs, services = {}, {}
    for number in numbers:
        code, name = f"OPER{number:06}", f"client{number}"
        known, owned = week.registry.organisations.get(code), week.registry.services.get(name)
        if kind == "restore":
            orgs[code], services[name] = first.organisations[code], first.services[name]
        elif kind == "remove":
            orgs[code], services[name] = None, None
        elif kind == "drop":
            services[name] = None
        elif kind in {"addresses", "slots", "serial_num"} and known:
            orgs[code] = replace(known, **{kind: value if kind == "serial_num" else (value,)})
        elif owned:
            services[name] = replace(owned, **{kind: value if kind == "secret_hash" else (value,)})
    return RegistryChanges(
        {code: one for code, one in orgs.items() if one != week.registry.organisations.get(code)},
        {name: one for name, one in services.items() if one != week.registry.services.get(name)},
        "1",
        "1",
    )


def parts(one):
    """What the relay goes by, part by part; what is away has none."""
    if one is None:
        return {"here": False}
    names = ("serial_num", "addresses", "slots", "operator", "secret_hash", "callbacks")
    return {"here": True} | {name: getattr(one, name) for name in names if hasattr(one, name)}


def harmed_at(log, moment):
    """Institutions whose parts became, by the sync of this entry, what they were at no time of the week before."""
    at, before, changes, _ = log[moment]
    week = [entry for entry in log[: moment + 1] if entry[0] > at - 7 * DAY]
    found = set()
    for kind in ("organisations", "services"):
        for name, new in getattr(changes, kind).items():
            values = [parts(getattr(entry[1], kind).get(name)) for entry in week]
            now = parts(new)
            strange = [part for part, value in now.items() if all(one.get(part) != value for one in values)]
            if getattr(before, kind).get(name) is not None and strange:
                found.add(name.replace("client", "OPER00000" if len(name) == 7 else "OPER0000"))
    return found


@settings(max_examples=150)
@given(steps=st.lists(STEP, min_size=1, max_size=25))
def test_no_sequence_of_syncs_changes_more_than_the_share_within_a_week(week_of, steps):
    first = Registry(ORGANISATIONS, SERVICES, 1)
    week = week_of(first, Guard(share=0, least=3))
    for kind, numbers, value, later, _ in steps:
        week.now += later
        week.sync(step_of(week, kind, numbers, value, first))
    for moment, (at, *_rest) in enumerate(week.log):
        within = [number for number, entry in enumerate(week.log[: moment + 1]) if entry[0] > at - 7 * DAY]
        assert len(set().union(*(harmed_at(week.log, number) for number in within))) <= 3


@settings(max_examples=150)
@given(steps=st.lists(STEP, min_size=1, max_size=12), back=st.integers(0, 11))
def test_the_way_back_to_what_was_in_force_is_never_held(week_of, steps, back):
    first = Registry(ORGANISATIONS, SERVICES, 1)
    week = week_of(first, Guard(share=0, least=1))
    for kind, numbers, value, later, released in steps:
        week.now += later
        week.sync(step_of(week, kind, numbers, value, first), released=released)
    inside = [entry for entry in week.log if entry[0] > week.now - 7 * DAY]
    wanted = inside[min(back, len(inside) - 1)][1] if inside else first
    now = week.registry
    changes = RegistryChanges(
        {code: wanted.organisations.get(code) for code in {**now.organisations, **wanted.organisations}},
        {name: wanted.services.get(name) for name in {**now.services, **wanted.services}},
        "1",
        "1",
    )
    assert judge(now, changes, week.past, week.guard, RELAY, week.now).reasons == ()
