"""The support APIs' office: whom it knows, and what it shows of a customer."""

import pytest

from relay.domain.fault import Refusal
from relay.endpoint.calls import Note
from relay.portal.services import Asked


def test_it_has_calendars_of_those_who_plan_maintenance(office):
    made = office()
    assert (list(made.members), list(made.calendars)) == (["ZBAA000001", "ZCDA000001"], ["ZBAA000001"])


def test_a_member_is_noted_and_nobody_else(office):
    note = Note()
    assert office().member("ZCDA000001", note).name == "가온카드"
    assert note.provider == "ZCDA000001"
    with pytest.raises(Refusal):
        office().member("ZOPA000001", note)
    assert note.provider == "ZCDA000001"


def test_what_is_asked_shows_nothing_of_the_customer(office):
    assert "PRIVATE" not in repr(Asked(office(), {"user_ci": "PRIVATE"}, 0.0, Note()))
