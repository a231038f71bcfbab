"""Sequences of syncs: a week never changes more than the share, and a return to former values is never held."""

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
    org.org_code: org for org in map(operator, range(1, 16))
}
SERVICES = {item.client_id: item for item in map(service, range(1, 15))}
STEP = st.tuples(
    st.sampled_from(["addresses", "serial_num", "slots", "remove", "restore", "secret_hash", "callbacks", "drop"]),
    st.sets(st.integers(1, 14), min_size=1, max_size=4),
    st.sampled_from(["a", "b"]),
    st.integers(1, 3 * DAY),
    st.booleans(),
)


def make_step(week, kind, numbers, value, first):
    """Returns a sync with one kind of change at some institutions."""
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
        {code: value_ for code, value_ in orgs.items() if value_ != week.registry.organisations.get(code)},
        {name: value_ for name, value_ in services.items() if value_ != week.registry.services.get(name)},
        "1",
        "1",
    )


def read_parts(party):
    """Returns the values that the relay uses, by name; a removed party has none."""
    if party is None:
        return {"here": False}
    names = ("serial_num", "addresses", "slots", "operator", "secret_hash", "callbacks")
    return {"here": True} | {name: getattr(party, name) for name in names if hasattr(party, name)}


def find_harmed(log, moment):
    """Returns institutions that this sync gave values which they had at no time of the week before."""
    at, before, changes, _ = log[moment]
    week = [entry for entry in log[: moment + 1] if entry[0] > at - 7 * DAY]
    harmed = set()
    for kind in ("organisations", "services"):
        for name, new in getattr(changes, kind).items():
            values = [read_parts(getattr(entry[1], kind).get(name)) for entry in week]
            now = read_parts(new)
            new_parts = [part for part, value in now.items() if all(former.get(part) != value for former in values)]
            if getattr(before, kind).get(name) is not None and new_parts:
                harmed.add(name.replace("client", "OPER00000" if len(name) == 7 else "OPER0000"))
    return harmed


@settings(max_examples=150)
@given(steps=st.lists(STEP, min_size=1, max_size=25))
def test_no_sequence_of_syncs_exceeds_the_share_within_a_week(week_of, steps):
    first = Registry(ORGANISATIONS, SERVICES, 1)
    week = week_of(first, Guard(share=0, least=3))
    for kind, numbers, value, later, _ in steps:
        week.now += later
        week.sync(make_step(week, kind, numbers, value, first))
    for moment, (at, *_rest) in enumerate(week.log):
        within = [number for number, entry in enumerate(week.log[: moment + 1]) if entry[0] > at - 7 * DAY]
        assert len(set().union(*(find_harmed(week.log, number) for number in within))) <= 3


@settings(max_examples=150)
@given(steps=st.lists(STEP, min_size=1, max_size=12), back=st.integers(0, 11))
def test_a_return_to_former_values_is_never_held(week_of, steps, back):
    first = Registry(ORGANISATIONS, SERVICES, 1)
    week = week_of(first, Guard(share=0, least=1))
    for kind, numbers, value, later, released in steps:
        week.now += later
        week.sync(make_step(week, kind, numbers, value, first), released=released)
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
