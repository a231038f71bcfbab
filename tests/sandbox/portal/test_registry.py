"""A caller with the last timestamp gets each change exactly once."""

from datetime import UTC, datetime, timedelta

import pytest
from mydata_sandbox.portal.registry import SimulatedRegistry, Unknown
from mydata_sandbox.portal.rows import Service

from relay.domain.registry import Organisation, OrgType

BEGIN = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
OPERATOR = Organisation("ZOPA000001", OrgType.OPERATOR, "모아보기", "999-81-01001", ("127.0.0.1",))
OTHER = Organisation("ZOPA000002", OrgType.OPERATOR, "한눈에", "999-81-01002", ("127.0.0.1",))
SERVICE = Service("ZOPA000001SVC01", "ZOPA000001", "모아보기", "s3cret", ("https://127.0.0.1/cb",), ("moabogi",))


class Clock:
    now = BEGIN

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def registry(clock):
    return SimulatedRegistry([OPERATOR], [SERVICE], clock)


def ops(rows):
    return [(row["op_type"], row["org_code"]) for row in rows]


def service_ops(rows):
    return [(row["org_code"], each["op_type"], each["client_id"]) for row in rows for each in row["service_list"]]


def test_a_full_list_has_all_rows_as_new(registry):
    assert ops(registry.org_list("0")) == [("I", "ZOPA000001")]
    assert service_ops(registry.service_list("0")) == [("ZOPA000001", "I", "ZOPA000001SVC01")]


def test_the_timestamp_is_korean_time(registry):
    assert registry.timestamp() == "20261123000000"


def test_no_rows_without_changes(registry):
    since = registry.timestamp()
    assert (registry.org_list(since), registry.service_list(since)) == ([], [])


def test_changes_have_their_op_types(registry, clock):
    registry.put(OTHER)
    since = registry.timestamp()
    clock.now += timedelta(hours=1)
    registry.put(Organisation("ZOPA000003", OrgType.OPERATOR, "셋째", "999-81-01003"))
    registry.change("ZOPA000001", serial_num="999-81-07777")
    registry.remove("ZOPA000002")
    changes = registry.org_list(since)
    assert sorted(ops(changes)) == [("D", "ZOPA000002"), ("I", "ZOPA000003"), ("M", "ZOPA000001")]
    assert [row["serial_num"] for row in changes if row["op_type"] == "M"] == ["999-81-07777"]
    assert ops(registry.org_list("0")) == [("I", "ZOPA000001"), ("I", "ZOPA000003")]


def test_two_changes_within_a_second_have_different_timestamps(registry):
    registry.put(OTHER)
    between = registry.timestamp()
    registry.remove("ZOPA000002")
    assert ops(registry.org_list(between)) == [("D", "ZOPA000002")]


def test_a_change_in_the_returned_second_is_not_missed(registry, clock):
    clock.now += timedelta(seconds=9)
    since = registry.timestamp()
    registry.put(OTHER)
    assert registry.timestamp() > since
    assert ops(registry.org_list(since)) == [("I", "ZOPA000002")]


def test_timestamps_do_not_go_back_with_the_clock(registry, clock):
    since = registry.timestamp()
    clock.now -= timedelta(days=1)
    registry.put(OTHER)
    assert registry.timestamp() > since


def test_an_operator_is_removed_with_its_services(registry):
    since = registry.timestamp()
    registry.remove("ZOPA000001")
    assert service_ops(registry.service_list(since)) == [("ZOPA000001", "D", "ZOPA000001SVC01")]
    assert registry.service_list("0") == []


def test_a_removed_entry_returns_as_new(registry):
    registry.remove_service("ZOPA000001SVC01")
    since = registry.timestamp()
    registry.put_service(SERVICE)
    assert service_ops(registry.service_list(since)) == [("ZOPA000001", "I", "ZOPA000001SVC01")]
    assert registry.services == {"ZOPA000001SVC01": SERVICE}


@pytest.mark.parametrize(
    "act",
    [
        lambda registry: registry.remove("ZNOA000001"),
        lambda registry: registry.change("ZNOA000001", name="unknown"),
        lambda registry: registry.remove_service("unknown"),
        lambda registry: (registry.remove("ZOPA000001"), registry.remove("ZOPA000001")),
    ],
)
def test_an_unknown_entry_cannot_be_changed(registry, act):
    with pytest.raises(Unknown):
        act(registry)


def test_the_certifiers_list_has_no_certifiers(registry):
    registry.put(Organisation("ZCAA000001", OrgType.IDENTITY_CERTIFIER, "가상공동인증"))
    assert ops(registry.org_list_for_certifiers("0")) == [("I", "ZOPA000001")]
