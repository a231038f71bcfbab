"""Tests of how threads share the interpreter."""

import sys

import pytest

from relay.infra.process.interpreter import SWITCH_S, share_interpreter


def test_computing_threads_give_up_the_interpreter_early():
    former = sys.getswitchinterval()
    try:
        share_interpreter()
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    finally:
        sys.setswitchinterval(former)
