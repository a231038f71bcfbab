import json

import pytest
from click.testing import CliRunner
from report import BEGIN, END, figures_of, main, replace_figures

VERSIONS = {
    "python": "3.11.2",
    "uvloop": "0.23.0",
    "nginx": "nginx version: nginx/1.22.1",
    "haproxy": "HAProxy version 2.6.12 2023/12/16",
}
RESULT = {
    "at": "2026-11-29T00:00:00+00:00",
    "machine": {"cpu": "a CPU", "cores": 2, "kernel": "6.1", "versions": VERSIONS},
    "idle_connections": {"relay_compiled": {"connections": 10, "kb_each": 41.0, "with_mb": 9.0, "after_mb": 8.0}},
    "left_out": {"workers": "one core"},
}


@pytest.fixture
def latest(tmp_path):
    path = tmp_path / "latest.json"
    path.write_text(json.dumps(RESULT))
    return path


def test_figures_have_the_session_the_tables_and_what_is_left_out():
    text = figures_of(RESULT)
    assert text.startswith("2026-11-29, a CPU, 2 cores, Linux 6.1, Python 3.11.2, uvloop 0.23.0, nginx/1.22.1, HAProxy")
    assert "| compiled | 10 | 41.0 | 9 | 8 |" in text
    assert "| ≤ 40 | 41.00 | no |" in text
    assert text.endswith("Left out: workers (one core).\n")


def test_only_the_text_between_the_marks_is_replaced():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = replace_figures(page, "new\n")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replace_figures(once, "new\n") == once


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_page_without_marks_is_refused(page):
    with pytest.raises(ValueError, match="no lines"):
        replace_figures(page, "new")


def test_command_prints_or_writes_into_a_page(latest, tmp_path):
    assert CliRunner().invoke(main, [str(latest)]).output == figures_of(RESULT)
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}{END}")
    assert CliRunner().invoke(main, [str(latest), "--into", str(page)]).exit_code == 0
    assert figures_of(RESULT) in page.read_text()


def test_command_prints_goals_as_json(latest):
    goals = json.loads(CliRunner().invoke(main, [str(latest), "--json"]).output)
    assert [goal["reached"] for goal in goals] == ["no"]


def test_the_page_of_the_benchmark_has_the_marks(request):
    page = (request.config.rootpath / "docs" / "design" / "benchmark.md").read_text()
    assert "new figures" in replace_figures(page, "new figures")
