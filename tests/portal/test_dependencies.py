"""Settings and requests of the support APIs."""

import pytest

from relay.domain.fault import Refusal
from relay.endpoint.calls import Note
from relay.portal.dependencies import PortalRequest


def test_only_institutions_with_maintenance_have_calendars(make_settings):
    settings = make_settings()
    assert (list(settings.members), list(settings.calendars)) == (["ZBAA000001", "ZCDA000001"], ["ZBAA000001"])


def test_only_a_member_is_noted(make_settings):
    note = Note()
    assert make_settings().member("ZCDA000001", note).name == "가온카드"
    assert note.provider == "ZCDA000001"
    with pytest.raises(Refusal):
        make_settings().member("ZOPA000001", note)
    assert note.provider == "ZCDA000001"


def test_a_request_hides_the_customer(make_settings):
    assert "PRIVATE" not in repr(PortalRequest(make_settings(), {"user_ci": "PRIVATE"}, 0.0, Note()))
