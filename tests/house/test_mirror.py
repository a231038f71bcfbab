"""Every module has its test where one looks for it, or a row here says where it is tested and why there."""

from pathlib import Path

WORLD = "relay/sandbox/world"
STORIES = "tests/scenarios"
ELSEWHERE = {
    f"{WORLD}/bank_*.py": ("tests/sandbox/world/test_bank.py", "chapters of the bank's stories, told by their APIs"),
    f"{WORLD}/insu_*.py": ("tests/sandbox/world/test_insu.py", "chapters of the insurer's stories, told by their APIs"),
    f"{WORLD}/invest_*.py": ("tests/sandbox/world/test_invest.py", "chapters of the broker's stories, by their APIs"),
    "relay/admin/*.py": (f"{STORIES}/test_process.py", "a port of a running relay"),
    "relay/policy/access.py": (f"{STORIES}/test_cases.py", "certificates, addresses and tokens are the cases' givens"),
    "relay/policy/envelope.py": (f"{STORIES}/test_headers.py", "what goes out is read on the other side"),
    "relay/policy/plan.py": (f"{STORIES}/test_cases.py", "the institutions of the cases are its rows"),
    "relay/policy/query.py": (f"{STORIES}/test_cases.py", "queries and bodies are the cases' whens"),
    "relay/policy/quota.py": (f"{STORIES}/test_limits.py", "rates are met by calling too often"),
    "relay/policy/route.py": (f"{STORIES}/test_cases.py", "paths and methods are the cases' whens"),
    "relay/runtime/assembly.py": (f"{STORIES}/test_reload.py", "what is put together is a relay that serves"),
    "relay/runtime/commands/serve.py": (f"{STORIES}/test_process.py", "a process, its signals and its exit code"),
    "relay/runtime/identity.py": (f"{STORIES}/test_tls.py", "certificates come from real handshakes"),
    "relay/runtime/listening.py": (f"{STORIES}/test_process.py", "listens, and stops listening"),
    "relay/runtime/materials.py": (f"{STORIES}/test_reload.py", "files of keys and certificates, changed under way"),
    "relay/runtime/process.py": (f"{STORIES}/test_process.py", "a process, its signals and its exit code"),
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
