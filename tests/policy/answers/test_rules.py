from relay.policy.answers.rules import DESCRIPTIONS, Rule


def test_each_rule_has_a_short_description():
    assert list(DESCRIPTIONS) == list(Rule)
    assert [text for text in DESCRIPTIONS.values() if len(text) > 55] == []
