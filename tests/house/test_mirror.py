"""Checks that every module has a test in the mirrored folder, or a row here."""

from pathlib import Path

WORLD = "relay/sandbox/world"
ELSEWHERE = {
    f"{WORLD}/bank_*.py": ("tests/sandbox/world/test_bank.py", "data handlers of the bank, tested by API"),
    f"{WORLD}/insu_*.py": ("tests/sandbox/world/test_insu.py", "data handlers of the insurer, tested by API"),
    "relay/runtime/commands/directory_output.py": (
        "tests/runtime/commands/test_directory.py",
        "printed by the command",
    ),
    "relay/wire/response_handler.py": (
        "tests/wire/test_client.py",
        "a protocol that connections call",
    ),
    "relay/wire/response_source.py": (
        "tests/wire/test_server_ends.py",
        "a protocol that connections call",
    ),
    f"{WORLD}/invest_*.py": ("tests/sandbox/world/test_invest.py", "data handlers of the broker, tested by API"),
}
"""Module, or a pattern of modules -> (its test, the reason)."""


def modules(relay):
    return [path for path in relay if path.name not in {"__init__.py", "__main__.py"}]


def possible_tests(module):
    """Returns where the test may be: in the mirrored folder, or in the folder of its layer."""
    package = module.relative_to("relay").parent
    return {Path("tests") / folder / f"test_{module.name}" for folder in (package, *package.parts[:1])}


def without_test(relay, tracked):
    tests = set(tracked)
    return [module for module in modules(relay) if not possible_tests(module) & tests]


def test_every_module_has_a_mirrored_test_or_a_row(relay, tracked):
    missing = [str(module) for module in without_test(relay, tracked) if not any(map(module.match, ELSEWHERE))]
    assert not missing, "modules without a test:\n" + "\n".join(missing)


def test_every_row_has_modules_a_test_and_a_reason(relay, tracked):
    for pattern, (test, reason) in ELSEWHERE.items():
        assert any(module.match(pattern) for module in modules(relay)), f"{pattern}: no such module"
        assert Path(test) in tracked, f"{pattern}: {test} is not there"
        assert reason


def test_every_row_is_needed(relay, tracked):
    needed = without_test(relay, tracked)
    assert [pattern for pattern in ELSEWHERE if not any(module.match(pattern) for module in needed)] == []
