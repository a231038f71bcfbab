"""Checks that public names have docstrings, and that docs/reference/faults.md has every fault."""

import ast
import os
import re
from pathlib import Path

import pytest

from relay.domain.fault import FAULTS

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def overload(node):
    return any(isinstance(name, ast.Name) and name.id == "overload" for name in node.decorator_list)


def public(node):
    """Yields public definitions below `node`, not those inside functions or private classes."""
    for child in node.body:
        if isinstance(child, DEFINITIONS) and not child.name.startswith("_") and not overload(child):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


def rows(page):
    """Returns the cells of table rows by the name in their first cell."""
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("` "): row for row in cells}


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "reference" / "faults.md").read_text()


def test_every_module_has_a_docstring(packages):
    assert [str(path) for path, tree in packages.items() if not ast.get_docstring(tree)] == []


def test_every_public_class_and_function_has_a_docstring(packages):
    undocumented = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in packages.items()
        for node in public(tree)
        if not ast.get_docstring(node)
    ]
    assert undocumented == []


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_the_page_of_faults_matches_the_table(page, fault):
    cells = rows(page)[fault.name]
    assert cells[1:6] == [
        fault.owner.value,
        str(fault.status),
        fault.rsp_code,
        fault.words,
        "yes" if fault.retry else "no",
    ]
    assert len(cells) == 8
    assert all(cells)


def test_the_page_of_faults_has_no_other_rows(page):
    assert set(rows(page)) == set(FAULTS)


def links(path, text):
    """Relative links of a page, as paths from the root."""
    targets = re.findall(r"\]\(([^)#:]+?)(?:#[\w-]*)?\)", text)
    return {Path(os.path.normpath(path.parent / target)) for target in targets}


def test_every_link_of_a_page_leads_to_a_file(root, tracked):
    pages = [path for path in tracked if path.suffix == ".md"]
    missing = {
        str(path): sorted(map(str, broken))
        for path in pages
        if (broken := {link for link in links(path, (root / path).read_text()) if not (root / link).exists()})
    }
    assert missing == {}


def test_every_page_is_reached_from_the_readme(root, tracked):
    reached, waiting = set(), {Path("README.md")}
    while waiting:
        path = waiting.pop()
        reached.add(path)
        waiting |= {link for link in links(path, (root / path).read_text()) if link.suffix == ".md"} - reached
    assert {path for path in tracked if path.parts[0] == "docs" and path.suffix == ".md"} <= reached


def test_every_make_target_of_the_readme_exists(root):
    makefile = (root / "Makefile").read_text()
    readme = (root / "README.md").read_text()
    named = set(re.findall(r"\bmake ([a-z-]+)", readme))
    targets = {line.split(":")[0] for line in makefile.splitlines() if "##" in line}
    assert targets >= named
    assert {"demo", "sandbox", "test", "bench"} <= named
