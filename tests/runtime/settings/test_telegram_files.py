import gc
import shutil
from pathlib import Path

import pytest

from relay.runtime.settings.telegram_files import load_telegram_files

EXAMPLE = Path(__file__).parents[3] / "config/providers/haneul-savings-bank/telegrams"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(EXAMPLE, tmp_path / "telegrams"))


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_example_has_no_problems():
    loaded = load_telegram_files(EXAMPLE, "bank", ["BA01", "BA23"])
    assert loaded.problems == ()
    assert len(loaded.institution.conversions) == 10
    assert [path.name for path in loaded.files][:2] == ["link.yaml", "BA01.yaml"]


def test_replaced_layouts_leave_no_reference_cycle():
    """Large states are frozen for the collector: a cycle would never be freed."""
    load_telegram_files(EXAMPLE, "bank")
    gc.collect()
    gc.disable()
    try:
        loaded = load_telegram_files(EXAMPLE, "bank")
        gc.collect()  # what YAML and pydantic leave
        assert loaded.institution is not None
        del loaded
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_problems_of_all_kinds_are_reported_at_once(folder):
    replace(folder / "BA02.yaml", "times: 4", "times: 0")
    replace(folder / "BA03.yaml", "binary(2)", "binary(9)")
    replace(folder / "BA04.yaml", "trans_class   ah(10)", "trans_class   ah(30)")
    replace(folder / "BA11.yaml", "n(2)", "m(2)")
    replace(folder / "BA22.yaml", "api: BA22", "api: BA22\napi: BA21")
    loaded = load_telegram_files(folder, "bank")
    assert loaded.institution is None
    problems = [str(problem).partition(";")[0] for problem in loaded.problems]
    assert [problem for problem in problems if ".count: names row_count" not in problem] == [
        "telegrams/BA02.yaml: response.fields[1].times: is too small",
        "telegrams/BA11.yaml: response.fields[2]: names an unknown type",
        "telegrams/BA22.yaml: api: is a duplicate (line 3)",
        "telegrams/BA03.yaml: response.fields[1]: has a length that binary cannot have",
        "telegrams/BA04.yaml: answer.trans_list.each.trans_class: has up to 45 bytes, longer than AH(15)",
    ]


def test_a_missing_link_is_a_problem(folder):
    (folder / "link.yaml").unlink()
    loaded = load_telegram_files(folder, "bank")
    assert [str(problem) for problem in loaded.problems] == [
        "telegrams/link.yaml: does not exist; expected: a YAML file"
    ]


def test_an_offered_api_without_file_is_a_problem(folder):
    (folder / "BA23.yaml").unlink()
    loaded = load_telegram_files(folder, "bank", ["BA22", "BA23"])
    assert [problem.wrong for problem in loaded.problems] == ["has no file for BA23, which the institution offers"]
