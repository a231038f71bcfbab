"""The table of states, rows and the page, without servers."""

import inspect

import pytest

from chaos.page import render_page
from chaos.row import Row
from chaos.table import TEXTS, load_states

STATES = load_states()


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_each_state_has_a_function_and_texts(state):
    assert inspect.iscoroutinefunction(state.produce)
    assert all(getattr(state, name).strip() for name in TEXTS)


def test_titles_are_different_and_the_deadlines_bound_a_run():
    assert len({state.title for state in STATES.values()}) == len(STATES)
    assert max(state.deadline_s for state in STATES.values()) <= 120


def test_a_row_is_ok_only_without_loss_and_problems():
    assert Row("one").ok
    assert not Row("one", lost=1).ok
    assert Row("one", lost=1, may_lose=1).ok
    assert not Row("one", doubled=1, may_lose=1).ok
    row = Row("one")
    row.require("a promise", holds=False)
    assert (row.ok, row.describe()["figures"]) == (False, {"problems": ["a promise"]})


def test_a_row_of_a_test_does_not_judge_latencies():
    judged, tested = Row("one"), Row("one", judges_time=False)
    for row in (judged, tested):
        row.require_in_time("p99 below 400 ms", holds=False)
    assert (judged.ok, tested.ok) == (False, True)


def test_the_page_shows_a_row_that_is_not_ok():
    name, state = next(iter(STATES.items()))
    rows = {name: {"state": name, "ok": False, "lost": 3, "doubled": 0, "figures": {"problems": ["it lost calls"]}}}
    page = render_page({name: state}, rows)
    assert "| **no** | 3 | 0 |" in page
    assert "**Not ok:** it lost calls" in page
