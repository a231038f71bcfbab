import shutil
from pathlib import Path

import pytest

from relay.runtime.settings.json_files import load_json_files

EXAMPLE = Path(__file__).parents[3] / "config/providers/dasol-life-insurance/json"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(EXAMPLE, tmp_path / "json"))


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_example_has_no_problems():
    loaded = load_json_files(EXAMPLE, "insu", ["IS01", "IS14"])
    assert loaded.problems == ()
    assert len(loaded.institution.conversions) == 12
    assert [path.name for path in loaded.files][:2] == ["link.yaml", "IS01.yaml"]


def test_problems_of_all_kinds_are_reported_at_once(folder):
    replace(folder / "IS01.yaml", "an(10)", "packed(10)")
    replace(folder / "IS02.yaml", "expiryDate    date ", "expiryDate    hour ")
    replace(folder / "IS05.yaml", "/policies/{$insu_num}/premium", "/premium")
    replace(folder / "IS06.yaml", "by: offset", "by: key")
    replace(folder / "IS08.yaml", "ah(100)", "ah(200)")
    loaded = load_json_files(folder, "insu")
    assert loaded.institution is None
    assert [str(problem).partition(";")[0] for problem in loaded.problems] == [
        "json/IS01.yaml: response.fields[1].fields[3]: names an unknown type",
        "json/IS02.yaml: response.fields[6]: names an unknown type",
        "json/IS06.yaml: paging.key: is missing, but by is key",
        "json/IS05.yaml: request: does not name the asset of the call, insu_num",
        "json/IS08.yaml: answer.coverage_list.each.coverage_name: has up to 600 bytes, longer than AH(300)",
    ]
