"""Every fault and every rsp_code of this version has a case or another test."""

from fixtures.case import load_cases
from fixtures.failure_modes import SCRIPTS

from relay.domain.fault import FAULTS

CASES = load_cases()
RSP_CODES = {
    *("40001", "40002", "40003", "40004", "40101", "40102", "40103", "40104", "40105", "40106"),
    *("40301", "40303", "40304", "40401", "40501", "42901", "50003", "50005", "50008", "50009"),
}
OTHER_TESTS = {
    "operator_rate": "test_limits",
    "operator_share": "test_institutions",
    "provider_rate": "test_limits",
    "scheduled_rate": "test_limits",
    "service_rate": "test_limits",
    "weekly_quota": "test_weekly_quota",
    "connections_exceeded": "test_limits",
    "refusals_exceeded": "test_limits",
    "provider_busy": "test_limits",
    "queue_timeout": "test_addresses",
    **dict.fromkeys(("overload", "overload_scheduled"), "test_overload"),
    "breaker_open": "test_addresses",
    "connect_timeout": "test_names",
    **dict.fromkeys(("connect_reset", "connect_unreachable", "connect_failed", "dns"), "infra/upstream/test_request"),
    **dict.fromkeys(("tls_expired", "tls_not_yet_valid", "tls_refused"), "infra/upstream/test_request"),
    **dict.fromkeys(("tls_protocol", "tls_records", "no_descriptors"), "infra/upstream/test_request"),
    "operator_gone": "test_streams",
    "operator_slow": "test_streams",
    "relay_broken": "test_records",
    "ledger_unreachable": "test_revocation",
    "authority_busy": "test_authority_failures",
    "authority_silent": "test_authority_failures",
    "authority_unreachable": "test_authority_failures",
    "conversion_failed": "test_broken_telegrams",
    "adapter_unreachable": "test_adapter",
}
"""Faults that need more than one call, and the module that tests them."""


def test_every_rsp_code_has_a_case():
    assert {case.then.get("rsp_code") for case in CASES} | {"42901"} >= RSP_CODES
    assert {fault.rsp_code for name, fault in FAULTS.items() if name not in OTHER_TESTS} <= RSP_CODES


def test_every_fault_has_a_case_or_another_test():
    covered = {case.then.get(key) for case in CASES for key in ("fault", "noted")}
    assert covered - {None} | set(OTHER_TESTS) == set(FAULTS)


def test_every_failure_mode_has_a_case():
    done = {case.given.get("institution", "answers_well") for case in CASES}
    assert set(SCRIPTS) - done == {"answers_gzip"}  # in test_headers: its body is not JSON for a caller without gzip


def test_every_case_begins_with_a_comment():
    assert [case.name for case in CASES if not case.file.read_text().startswith("# ")] == []
