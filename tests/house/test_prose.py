"""Checks lines of prose, the layers in CONTRIBUTING.md, and the Korean pages of `docs/start`."""

import re
import tomllib
import unicodedata
from pathlib import Path

import pytest

COLUMNS = 120
CODE = re.compile(r"^ *```.*?```", re.DOTALL | re.MULTILINE)
FRONT_DOOR = ("README.md", "README.ko.md", "CONTRIBUTING.md", "SECURITY.md")
FOLDERS = (Path("docs/start"), Path("docs/operate"))
NOT_PROSE = re.compile(r"```.*?```|^\|.*?$", re.DOTALL | re.MULTILINE)
"""Commands, files and tables."""


def measure(line):
    """Returns the columns of a line: a character of East Asia has two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


def find_values(text):
    """Returns the names in code style and the numbers of three to five digits."""
    return re.findall(r"`[^`]+`|(?<!\d)\d{3,5}(?!\d)", text)


def test_hangul_has_two_columns():
    assert measure("중계 relay") == 10


def test_lines_of_prose_end_by_column_120(root, tracked):
    pages = [path for path in tracked if str(path) in FRONT_DOOR or (path.suffix == ".md" and path.parent in FOLDERS)]
    assert len(pages) > len(FRONT_DOOR)
    texts = {str(path): NOT_PROSE.sub("", (root / path).read_text()) for path in pages}
    long = {path: [line for line in text.splitlines() if measure(line) > COLUMNS] for path, text in texts.items()}
    assert {path: lines for path, lines in long.items() if lines} == {}


def test_contributing_has_the_layers_of_import_linter(root):
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "floors")
    chapter = (root / "CONTRIBUTING.md").read_text().partition("## Layers")[2]
    assert re.search(r"```\n(.*?)```", chapter, re.DOTALL)[1].splitlines() == layers


@pytest.mark.parametrize("name", ["institution", "operator", "sre"])
def test_a_korean_page_says_the_same(root, name):
    folder = root / "docs" / "start"
    english, korean = ((folder / page).read_text() for page in (f"{name}.md", f"{name}.ko.md"))
    rows = [
        [find_values(line) for line in page.splitlines() if line.lstrip().startswith("|")] for page in (english, korean)
    ]
    assert rows[0] == rows[1]
    assert CODE.findall(english) == CODE.findall(korean)
    last = [NOT_PROSE.sub("", page.rpartition("\n## ")[2]) for page in (english, korean)]
    lists = [sorted(find_values(chapter)) for chapter in last]
    assert lists[0] == lists[1]
