"""A state that is produced with a real relay: the others run with `make chaos`."""

import pytest

from chaos.runner import run_state
from chaos.table import load_states


@pytest.mark.full
@pytest.mark.parametrize("name", ["institution_refusing"])
async def test_a_state_keeps_its_promises(name):
    row = await run_state(load_states()[name], judges_time=False)
    assert (row.problems, row.lost, row.doubled) == ([], 0, 0)
    assert row.figures["answered_00000"] > 100
