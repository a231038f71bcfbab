"""Tests of the choice of an interpreter for Python gateways."""

import sys

import pytest
from harness import interpreter


@pytest.mark.parametrize(("own", "other", "chosen"), [(1.0, 0.7, "other"), (1.0, 0.95, "own"), (1.0, 2.0, "own")])
def test_another_interpreter_must_be_much_quicker(monkeypatch, own, other, chosen):
    monkeypatch.setattr(interpreter, "cost", {"own": own, "other": other}.__getitem__)
    assert interpreter.quickest("own", "other") == chosen


def test_an_interpreter_that_cannot_run_is_never_the_quickest():
    assert interpreter.quickest(sys.executable, "/nonexistent/python3") == sys.executable


def test_our_own_interpreter_has_a_cost():
    assert 0 < interpreter.cost(sys.executable) < 60
