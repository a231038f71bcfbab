"""Checks the list of compiled modules, and that these avoid what the compiler translates wrongly."""

import ast
import tomllib

import pytest


@pytest.fixture(scope="module")
def table(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["tool"]["relay"]["compiled"]


@pytest.fixture(scope="module")
def functions(root, table):
    """All functions of compiled modules, by module and name."""
    return [
        (path, node)
        for path in table["modules"]
        for node in ast.walk(ast.parse((root / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def find_reused_names(function):
    """Returns the names that except clauses of different types bind in one function."""
    handlers = [node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler) and node.name]
    bound = {(handler.name, ast.unparse(handler.type)) for handler in handlers}
    names = [name for name, _ in bound]
    return {name for name in names if names.count(name) > 1}


def test_every_listed_file_is_there_once_and_sorted(root, table):
    for files in (table["modules"], table["leaves"]):
        assert files == sorted(set(files))
        assert [path for path in files if not (root / path).is_file()] == []


def test_every_leaf_has_types_and_a_pure_twin(root, table):
    for leaf in table["leaves"]:
        path = root / leaf
        assert path.with_suffix(".pyi").is_file()
        assert path.with_name(path.stem.removeprefix("_") + ".py").is_file()
        assert path.with_name(path.stem.removeprefix("_") + ".py").relative_to(root).as_posix() not in table["modules"]


def test_no_name_is_bound_to_exceptions_of_two_types(functions):
    # mypyc 2.4 gives the name one type: the second clause then raises TypeError
    wrong = [f"{path}:{node.lineno} {node.name}" for path, node in functions if find_reused_names(node)]
    assert wrong == []


def test_two_types_of_exceptions_with_one_name_are_found():
    clauses = " try: pass\n except KeyError as e: pass\n except ValueError as e: pass\n"
    source = f"def f():\n{clauses} try: pass\n except OSError as o: pass\n try: pass\n except OSError as o: pass\n"
    assert find_reused_names(ast.parse(source).body[0]) == {"e"}


def is_super_call_with_stars(node):
    """Returns whether a node is a call like `super().method(*arguments)`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Call)
        and ast.unparse(node.func.value.func) == "super"
        and any(isinstance(argument, ast.Starred) for argument in node.args)
    )


def test_no_call_of_super_has_a_starred_argument(functions):
    # mypyc 2.4 passes the tuple as the second argument
    wrong = [f"{path}:{node.lineno}" for path, function in functions for node in ast.walk(function)
             if is_super_call_with_stars(node)]  # fmt: skip
    assert wrong == []


def test_a_starred_argument_of_super_is_found():
    calls = ast.walk(ast.parse("super().__init__(*args)\nsuper().__init__(args)\nf(*args)\n"))
    assert sum(map(is_super_call_with_stars, calls)) == 1


def test_no_attribute_becomes_a_keyword_of_c(root, table):
    # mypyc names the member of a struct after the attribute: `_thread` becomes __thread
    attributes = {
        node.attr
        for path in table["modules"]
        for node in ast.walk(ast.parse((root / path).read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert "_thread" not in attributes


def test_the_compilers_are_pinned_by_hash(root, table):
    pins = {
        line.split("==")[0].lower(): line.split("==")[1].split()[0]
        for line in (root / "constraints-build.txt").read_text().splitlines()
        if "==" in line
    }
    for required in table["requires"]:
        name, _, version = required.partition("==")
        assert pins[name.lower()] == version
    assert f"\nmypy=={pins['mypy']} " in (root / "constraints-dev.txt").read_text()


def list_classes(root, paths):
    """Yields file and node of each class."""
    for path in paths:
        for node in ast.walk(ast.parse((root / path).read_text())):
            if isinstance(node, ast.ClassDef):
                yield path, node


def get_base_names(node):
    return {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases}


def test_no_interpreted_class_extends_a_compiled_one(root, table):
    """The compiler refuses it at run time only: a closed line had no end in the compiled form."""
    compiled = set(table["modules"])
    closed = {node.name for _, node in list_classes(root, compiled) if "Protocol" not in get_base_names(node)}
    assert "Refusal" in closed
    interpreted = [str(path.relative_to(root)) for path in sorted((root / "relay").rglob("*.py"))]
    classes = list_classes(root, [path for path in interpreted if path not in compiled])
    assert [(path, node.name) for path, node in classes if get_base_names(node) & closed] == []
