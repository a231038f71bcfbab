import pytest

from relay.infra.answers.counts import AnswerCounts
from relay.infra.records.metrics import Metrics, RelayCollector
from relay.policy.answers.answer_rules import Verdict
from relay.policy.answers.rules import Rule, Violation
from relay.runtime.commands.providers.answer_metrics import (
    BrokenRule,
    MetricsUnavailable,
    fetch_figures,
    parse_figures,
)

BANK = "ZBAA000001"


def build_text(counts):
    metrics = Metrics(())
    metrics.answers = counts
    return b"".join(RelayCollector(metrics, dict, dict, dict, {}).write()).decode()


def test_figures_are_read_as_the_relay_writes_them():
    counts = AnswerCounts()
    counts.record(BANK, "BA04", Verdict((Violation(Rule.COUNT, "trans_cnt"),), unknown_code="77777"))
    counts.record(BANK, "BA04", Verdict((Violation(Rule.COUNT, "trans_cnt"), Violation(Rule.ASSET, "account_num"))))
    counts.record(BANK, "BA01", Verdict(()))
    counts.skipped["queue"] += 1
    figures = parse_figures(build_text(counts))
    assert list(figures) == [BANK]
    assert (figures[BANK].checked, figures[BANK].broken) == ({"BA04": 2, "BA01": 1}, {"BA04": 2})
    assert figures[BANK].rules == [
        BrokenRule("BA04", "count", "trans_cnt", 2),
        BrokenRule("BA04", "asset", "account_num", 1),
    ]
    assert figures[BANK].unknown_codes == {"77777": 1}


def test_a_relay_without_answers_has_no_figures():
    assert parse_figures(build_text(AnswerCounts())) == {}


def test_a_port_without_listener_is_named():
    with pytest.raises(MetricsUnavailable, match=r"http://127\.0\.0\.1:1/metrics: .*refused"):
        fetch_figures("http://127.0.0.1:1")


def test_a_url_of_another_scheme_is_refused(tmp_path):
    (tmp_path / "metrics").write_text("")
    with pytest.raises(MetricsUnavailable, match="must begin with http"):
        fetch_figures(f"file://{tmp_path}")
