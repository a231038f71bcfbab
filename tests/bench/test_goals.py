import pytest
from harness.goals import GOALS, Goal, compare, goals_of

RESULT = {
    "ratios": {"get": {"relay_compiled_to_nginx_lua": 1.3, "relay_compiled_to_haproxy": 0.9}},
    "workers": {"relay_compiled": {"throughput_ratio": 1.9, "cpu_ratio": 1.0}},
}


@pytest.mark.parametrize(
    ("is_least", "value", "expected"), [(False, 1.0, True), (False, 1.1, False), (True, 1.0, True), (True, 0.9, False)]
)
def test_a_goal_is_a_largest_or_a_smallest_value(is_least, value, expected):
    assert Goal("figure", 1.0, lambda _: value, is_least).is_reached(value) is expected


def test_figures_that_fall_short_are_shown():
    rows = {row[0]: row[1:] for row in goals_of(RESULT).rows}
    assert rows["GET, compiled / nginx + Lua"] == ["≤ 1.25", "1.30", "no"]
    assert rows["GET, compiled / HAProxy"] == ["≤ 1", "0.90", "yes"]
    assert rows["throughput of two workers over one, compiled"] == ["≥ 1.8", "1.90", "yes"]


def test_goals_of_parts_that_were_not_measured_are_left_out():
    assert len(list(compare(RESULT))) == 4
    assert list(compare({})) == []


def test_a_peer_without_added_latency_has_no_ratio():
    peers = {"relay_compiled": {"added_p99_ms": 1.0}, "nginx_lua": {"added_p99_ms": 0.0}}
    assert list(compare({"half_load": {"peers": peers}})) == []


def test_names_of_goals_are_distinct():
    assert len({goal.name for goal in GOALS}) == len(GOALS)
