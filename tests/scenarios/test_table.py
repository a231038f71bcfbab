"""The table of misfortunes is whole: every fault and every code of this version happens somewhere."""

from stage.case import cases
from stage.misdeeds import SCRIPTS

from relay.domain.fault import FAULTS

CASES = cases()
RSP_CODES = {
    *("40001", "40002", "40003", "40004", "40101", "40102", "40103", "40104", "40105", "40106"),
    *("40301", "40303", "40304", "40401", "40501", "42901", "50003", "50005", "50008", "50009"),
}
ELSEWHERE = {
    "operator_rate": "test_limits",
    "operator_share": "test_institutions",
    "provider_rate": "test_limits",
    "connections_exceeded": "test_limits",
    "refusals_exceeded": "test_limits",
    "provider_busy": "test_limits",
    "operator_gone": "test_streams",
    "operator_slow": "test_streams",
    "relay_broken": "test_records",
    "ledger_unreachable": "test_revocation",
    "authority_busy": "test_authority_away",
    "authority_silent": "test_authority_away",
    "authority_unreachable": "test_authority_away",
}
"""Faults that need more than one call, and where they happen."""


def test_every_code_this_version_answers_has_its_case():
    assert {case.then.get("rsp_code") for case in CASES} | {"42901"} >= RSP_CODES
    assert {fault.rsp_code for name, fault in FAULTS.items() if name not in ELSEWHERE} <= RSP_CODES


def test_every_fault_has_its_case_or_its_place():
    happening = {case.then.get(way) for case in CASES for way in ("fault", "noted")}
    assert happening - {None} | set(ELSEWHERE) == set(FAULTS)


def test_every_misdeed_is_done_to_somebody():
    done = {case.given.get("institution", "answers_well") for case in CASES}
    assert set(SCRIPTS) - done == {"answers_gzip"}  # in test_headers: its body is no JSON to who asked for none


def test_every_case_says_what_happened():
    assert [case.name for case in CASES if not case.file.read_text().startswith("# ")] == []
