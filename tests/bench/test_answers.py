"""The parts that bench/answers.py measures do what it says."""

import json

from answers import API, BANK, build_page, build_watch, checked, judged, tapped

from relay.gateway.answer_tap import AnswerTap
from relay.policy.settings.scalars import Answers


def test_a_page_is_a_plain_success_and_breaks_no_rule():
    assert judged(build_page(3))()
    watch = build_watch()
    assert json.loads(build_page(3))["trans_cnt"] == "3"
    checked(3)()
    assert not watch.counts.broken


def test_only_a_chosen_answer_is_tapped():
    watch = build_watch()
    assert watch.is_due(BANK, API, 1.0)
    taps = {answers: isinstance(tapped(answers, watch)(), AnswerTap) for answers in Answers}
    assert taps == {Answers.OFF: False, Answers.SAMPLE: False, Answers.ALL: True}
