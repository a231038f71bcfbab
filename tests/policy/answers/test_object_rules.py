"""Objects of a response; `test_answer_rules` has the table of spoilt answers."""

import pytest

from relay.domain.api import Field, Presence
from relay.policy.answers.object_rules import ObjectRules
from relay.policy.answers.rules import Rule


def check(kind, length, value):
    rules = ObjectRules((Field("f", kind, length, Presence.OPTIONAL, "", {}, ""),))
    found = []
    rules.check({"f": value}, lambda rule, field: found.append((rule, field)))
    return [rule for rule, field in found if field == "f"]


@pytest.mark.parametrize(
    ("kind", "length", "value", "rules"),
    [
        ("N", "3", "-999", []),
        ("N", "3", "1000", [Rule.LENGTH]),
        ("N", "3", "1.0", [Rule.TYPE]),
        ("N", "3", -999, [Rule.STYLE]),
        ("N", "3", 1.5, [Rule.TYPE]),
        ("F", "5,3", "12.345", []),
        ("F", "5,3", "123.4", [Rule.LENGTH]),
        ("F", "5,3", "1.2345", [Rule.LENGTH]),
        ("F", "5,3", "1,2", [Rule.TYPE]),
        ("F", "5,3", 0.5, [Rule.STYLE]),
        ("AH", "6", "가나", []),
        ("AH", "6", "가나다", [Rule.LENGTH]),
        ("AH", "6", "가나a", [Rule.LENGTH]),
        ("AH", "6", "\ud800", [Rule.TYPE]),
        ("AN", "3", "AB1", []),
        ("AN", "3", "ab1", [Rule.TYPE]),
        ("AN", "3", "AB12", [Rule.LENGTH]),
        ("aNS", "3", "a-1", []),
        ("B64", "8", "QUJD", []),
        ("B64", "4", "QUJDQUJD", [Rule.LENGTH]),
        ("Boolean", "", "true", []),
        ("Boolean", "", True, [Rule.STYLE]),
        ("Boolean", "", "TRUE", [Rule.TYPE]),
        ("DTIME", "14", "20261103240000", [Rule.TYPE]),
        ("DTIME", "14", "20261103", [Rule.TYPE]),
        ("DTIME|DATE", "14", "20261103", []),
        ("DATE", "8", 20261103, [Rule.STYLE]),
        ("DATE", "8", [], [Rule.TYPE]),
        ("DATE", "8", None, [Rule.EMPTY]),
    ],
)
def test_each_type_has_its_values_and_lengths(kind, length, value, rules):
    assert check(kind, length, value) == rules


def test_counts_of_nested_lists_are_checked_too():
    member = Field("a", "aN", "1", Presence.REQUIRED, "", {}, "")
    count = Field("int_cnt", "N", "3", Presence.REQUIRED, "", {}, "")
    inner = Field("int_list", "array", "", Presence.REQUIRED, "", {}, "", (member,))
    rules = ObjectRules((Field("trans_list", "array", "", Presence.REQUIRED, "", {}, "", (count, inner)),))
    found = []
    rules.check(
        {"trans_list": [{"int_cnt": "1", "int_list": [{"a": "1"}, {"a": "2"}]}]}, lambda *each: found.append(each)
    )
    assert found == [(Rule.COUNT, "trans_list[].int_cnt")]
