"""Checks lengths of files and functions, and names of modules."""

import ast
import statistics
from collections import Counter

FILE_LINES = 350
FUNCTION_LINES = 60
FUNCTION_MEDIAN = 10
FOLDER_MODULES = 18
MEANINGLESS = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "managers", "stuff"}


def functions(trees):
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.end_lineno - node.lineno + 1, f"{path}:{node.lineno} {node.name}"


def test_no_python_file_is_longer_than_350_lines(texts):
    lines = {str(path): len(text.splitlines()) for path, text in texts.items() if path.suffix == ".py"}
    assert {path: count for path, count in lines.items() if count > FILE_LINES} == {}


def test_no_function_is_longer_than_60_lines(parsed):
    assert [name for lines, name in functions(parsed) if lines > FUNCTION_LINES] == []


def test_half_of_all_functions_have_at_most_10_lines(relay, sandbox):
    for trees in (relay, sandbox):
        assert statistics.median(lines for lines, _ in functions(trees)) <= FUNCTION_MEDIAN


def test_no_folder_has_more_than_18_modules(packages):
    modules = Counter(path.parent for path in packages if path.name != "__init__.py")
    assert {str(folder): count for folder, count in modules.items() if count > FOLDER_MODULES} == {}


def test_every_module_has_a_meaningful_name(parsed):
    names = {part.removesuffix(".py"): str(path) for path in parsed for part in path.parts}
    assert {name: path for name, path in names.items() if name in MEANINGLESS} == {}


def test_nothing_is_left_for_later(parsed, texts):
    later = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
    words = {str(path): set(texts[path].replace(":", " ").split()) for path in parsed}
    assert {path: hits for path, used in words.items() if (hits := used.intersection(later))} == {}


def test_no_test_is_skipped(parsed):
    skipping = {"skip", "skipif", "xfail", "importorskip", "skipTest", "SkipTest"}
    skipped = [
        f"{path}:{node.lineno}"
        for path, tree in parsed.items()
        if path.parts[0] == "tests"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in skipping
    ]
    assert skipped == []
