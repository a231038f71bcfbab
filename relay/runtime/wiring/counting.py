"""Builds the rules that count exchanges, and those that answers are held against.

Gateways and `relay stats reconcile` count alike.
"""

from functools import cache

from relay.infra.answers.counts import AnswerCounts
from relay.infra.answers.watch import AnswerWatch
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_oauth_errors, load_rsp_codes


@cache
def build_counting() -> Counting:
    """Returns the counting rules for the codes and OAuth errors of the standard; one object for the process."""
    errors = {row.error for rows in load_oauth_errors().values() for row in rows}
    return Counting(load_catalogue(), load_rsp_codes(), errors)


def build_answer_watch(counts: AnswerCounts) -> AnswerWatch:
    """Returns the watch that holds answers of institutions against the standard."""
    statuses = {code: row.http for code, row in load_rsp_codes().items()}
    return AnswerWatch(load_catalogue(), statuses, counts)
