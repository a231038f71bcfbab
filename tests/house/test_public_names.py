"""Tests use public names only. Ruff finds private attributes (SLF001); these checks find the other forms."""

import ast

import pytest

PATCHES = {"setattr", "delattr", "getattr", "hasattr", "attrgetter", "object"}
"""Functions that take the name of an attribute: of monkeypatch, builtins, operator and unittest.mock."""


def is_private(name):
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def find_private_names(tree):
    """Yields the private names that a test module imports or gives to functions of PATCHES."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from filter(is_private, [node.module or "", *(alias.name for alias in node.names)])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in PATCHES:
            texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            yield from (text for text in texts if isinstance(text, str) and is_private(text))


def find_path_changes(tree):
    """Yields uses of sys.path: pytest's option `pythonpath` names the folders of shared modules."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path")


@pytest.fixture(scope="module")
def tests(parsed):
    """Every test module by path."""
    return {path: tree for path, tree in parsed.items() if path.parts[0] == "tests"}


def test_no_test_imports_or_patches_a_private_name(tests):
    names = {str(path): list(find_private_names(tree)) for path, tree in tests.items()}
    assert {path: found for path, found in names.items() if found} == {}


def test_no_test_changes_the_import_path(tests):
    assert [str(path) for path, tree in tests.items() if any(find_path_changes(tree))] == []


@pytest.mark.parametrize(
    "source",
    [
        "from relay.wire.server import _limits",
        "from relay._private import limits",
        "monkeypatch.setattr(server, '_LIMIT', 1)",
        "monkeypatch.setattr('relay.wire.server._LIMIT', 1)",
        "getattr(server, '_limit')",
    ],
)
def test_a_private_name_is_found(source):
    assert list(find_private_names(ast.parse(source)))


@pytest.mark.parametrize("source", ["import __future__", "setattr(server, '__slots__', ())", "print('_')"])
def test_other_names_are_not_found(source):
    assert not list(find_private_names(ast.parse(source)))
