from relay.policy.mediation.mapping.records import describe_record
from relay.policy.mediation.telegram.codec import Kind


def test_a_telegram_is_a_record_of_fields_and_lists(plan_of):
    plan = plan_of(["n n(2)", {"list": "rows", "count": "n", "max": 7, "fields": ["amt amount(5,2)"]}])
    record = describe_record(plan.parts)
    assert list(record.fields) == ["n"]
    rows = record.groups["rows"]
    amount = rows.fields["amt"]
    assert (rows.maximum, amount.kind, amount.digits, amount.scale) == (7, Kind.NUMBER, 3, 2)
    assert (amount.choices, amount.longer) == (None, "")
