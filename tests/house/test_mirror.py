"""Checks that every module has a test in the mirrored folder, or a row here."""

from pathlib import Path

WORLD = "sandbox/mydata_sandbox/world"
ELSEWHERE = {
    f"{WORLD}/bank/bank_*.py": ("tests/sandbox/world/bank/test_bank.py", "data handlers of the bank, tested by API"),
    f"{WORLD}/insurance/insu_*.py": (
        "tests/sandbox/world/insurance/test_insu.py",
        "data handlers of the insurer, tested by API",
    ),
    f"{WORLD}/invest/invest_*.py": (
        "tests/sandbox/world/invest/test_invest.py",
        "data handlers of the broker, tested by API",
    ),
    "sandbox/mydata_sandbox/*/profile.py": ("tests/sandbox/environment/test_build.py", "values that `build` makes"),
    "sandbox/mydata_sandbox/credentials/authority.py": (
        "tests/sandbox/credentials/test_certificates.py",
        "the CA of the certificates",
    ),
    "sandbox/mydata_sandbox/commands/control_client.py": (
        "tests/sandbox/commands/test_misbehave.py",
        "requests of the commands to a running sandbox",
    ),
    "sandbox/mydata_sandbox/commands/operator_options.py": (
        "tests/sandbox/commands/test_authorize.py",
        "options of two commands",
    ),
    "sandbox/mydata_sandbox/commands/run_output.py": ("tests/sandbox/commands/test_run.py", "printed by the command"),
    "relay/runtime/commands/directory_output.py": (
        "tests/runtime/commands/test_directory.py",
        "printed by the command",
    ),
    "relay/gateway/caller_connection.py": (
        "tests/gateway/test_connection_registry.py",
        "a protocol, and data that the registry fills",
    ),
    "relay/adapter/institutions.py": ("tests/adapter/test_mediation.py", "a protocol, and values of the plan"),
    "relay/domain/quota.py": ("tests/policy/quota/test_lease_book.py", "an exception, and the key of a call"),
    "relay/policy/conformance/*_rules.py": ("tests/policy/conformance/test_rules.py", "parts of the table of rules"),
    "relay/policy/conformance/rule.py": ("tests/policy/conformance/test_rules.py", "the values of the table"),
    "relay/policy/conformance/case.py": ("tests/policy/conformance/test_rules.py", "the table of cases"),
    "relay/policy/conformance/target.py": ("tests/policy/conformance/test_outcome.py", "values of a run"),
    "relay/policy/conformance/reports/*.py": (
        "tests/policy/conformance/reports/test_text_report.py",
        "the same report in several forms",
    ),
    "relay/infra/conformance/*.py": (
        "tests/scenarios/test_conformance.py",
        "tested against right and spoilt institutions over sockets",
    ),
    "relay/policy/settings/rates.py": ("tests/policy/settings/test_model.py", "sections without checks of their own"),
    "relay/policy/settings/redis_url.py": ("tests/policy/settings/test_portal.py", "a value of jobs.redis"),
    "relay/wire/tls/errors.py": (
        "tests/wire/tls/test_bounded_tls.py",
        "an exception that TLS connections raise",
    ),
    "relay/wire/response_handler.py": (
        "tests/wire/test_client.py",
        "a protocol that connections call",
    ),
    "relay/wire/response_source.py": (
        "tests/wire/test_server_ends.py",
        "a protocol that connections call",
    ),
}
"""Module, or a pattern of modules -> (its test, the reason)."""

FOLDERS = {"relay": Path("tests"), "sandbox": Path("tests/sandbox")}
"""Folders of tests by distribution."""


def modules(packages):
    return [path for path in packages if path.name not in {"__init__.py", "__main__.py"}]


def possible_tests(module):
    """Returns where the test may be: in the mirrored folder, or in the folder of its layer."""
    distribution = module.parts[0]
    inner = Path(*module.parts[1:]) if distribution == "relay" else Path(*module.parts[2:])
    package = inner.parent
    return {FOLDERS[distribution] / folder / f"test_{module.name}" for folder in (package, *package.parts[:1])}


def without_test(packages, tracked):
    tests = set(tracked)
    return [module for module in modules(packages) if not possible_tests(module) & tests]


def test_every_module_has_a_mirrored_test_or_a_row(packages, tracked):
    missing = [str(module) for module in without_test(packages, tracked) if not any(map(module.match, ELSEWHERE))]
    assert not missing, "modules without a test:\n" + "\n".join(missing)


def test_every_row_has_modules_a_test_and_a_reason(packages, tracked):
    for pattern, (test, reason) in ELSEWHERE.items():
        assert any(module.match(pattern) for module in modules(packages)), f"{pattern}: no such module"
        assert Path(test) in tracked, f"{pattern}: {test} is not there"
        assert reason


def test_every_row_is_needed(packages, tracked):
    needed = without_test(packages, tracked)
    assert [pattern for pattern in ELSEWHERE if not any(module.match(pattern) for module in needed)] == []
