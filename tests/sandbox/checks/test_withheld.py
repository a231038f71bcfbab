import json

from mydata_sandbox.checks.withheld import remove_members


def test_members_are_removed_at_any_depth():
    body = {"memo": "1", "list": [{"memo": "2", "kept": "3"}, [{"memo": "4"}]], "kept": {"memo": None, "other": "가"}}
    removed = json.loads(remove_members(json.dumps(body).encode(), frozenset({"memo"})))
    assert removed == {"list": [{"kept": "3"}, [{}]], "kept": {"other": "가"}}


def test_other_bodies_keep_their_members():
    assert json.loads(remove_members(b'{"a": "1"}', frozenset({"memo"}))) == {"a": "1"}
