"""docs/operate/degraded.md is what the table of degraded states and the recorded figures make."""

from chaos.page import PAGE, read_figures, render_page
from chaos.table import load_states


def test_the_page_of_degraded_states_is_generated():
    assert PAGE.read_text() == render_page(load_states(), read_figures()), "run make chaos-docs"


def test_figures_are_of_states_in_the_table():
    assert set(read_figures()) <= set(load_states())
