"""Every module has its test where one looks for it, or a row here says where it is tested and why there."""

from pathlib import Path

WORLD = "relay/sandbox/world"
ELSEWHERE = {
    f"{WORLD}/bank_*.py": ("tests/sandbox/world/test_bank.py", "chapters of the bank's stories, told by their APIs"),
    f"{WORLD}/insu_*.py": ("tests/sandbox/world/test_insu.py", "chapters of the insurer's stories, told by their APIs"),
    "relay/wire/asker.py": ("tests/wire/test_client.py", "a protocol: its calls are what the connection makes"),
    "relay/wire/source.py": ("tests/wire/test_server_ends.py", "a protocol: its calls are what the connection makes"),
    f"{WORLD}/invest_*.py": ("tests/sandbox/world/test_invest.py", "chapters of the broker's stories, by their APIs"),
}
"""Module, or a pattern of modules -> (the test that holds it, why it is there)."""


def modules(relay):
    return [path for path in relay if path.name not in {"__init__.py", "__main__.py"}]


def places(module):
    """Where the test may stand: beside its like in the mirror, or in its floor's folder."""
    room = module.relative_to("relay").parent
    return {Path("tests") / folder / f"test_{module.name}" for folder in (room, *room.parts[:1])}


def bare(relay, tracked):
    tests = set(tracked)
    return [module for module in modules(relay) if not places(module) & tests]


def test_every_module_has_its_mirrored_test_or_a_row(relay, tracked):
    lost = [str(module) for module in bare(relay, tracked) if not any(map(module.match, ELSEWHERE))]
    assert not lost, "no test where one looks for it:\n" + "\n".join(lost)


def test_every_row_has_modules_a_test_and_a_reason(relay, tracked):
    for pattern, (test, why) in ELSEWHERE.items():
        assert any(module.match(pattern) for module in modules(relay)), f"{pattern}: no such module"
        assert Path(test) in tracked, f"{pattern}: {test} is not there"
        assert why


def test_no_row_outlives_the_module_that_needed_it(relay, tracked):
    needed = bare(relay, tracked)
    assert [pattern for pattern in ELSEWHERE if not any(module.match(pattern) for module in needed)] == []
