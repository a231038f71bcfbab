"""The portal's answers that are none, in words that show no value."""

import inspect

import pytest

from relay.domain.portal import Portal, PortalAway, PortalRefused


@pytest.mark.parametrize(
    ("status", "rsp_code", "api_id", "words"),
    [
        (403, "40301", "", "HTTP 403, rsp_code 40301"),
        (500, "", "", "HTTP 500, rsp_code none"),
        (401, "invalid_client", "지원-001", "지원-001: HTTP 401, rsp_code invalid_client"),
    ],
)
def test_a_refusal_of_the_portal_says_its_call_its_status_and_its_code(status, rsp_code, api_id, words):
    refused = PortalRefused(status, rsp_code, api_id)
    assert (refused.status, refused.rsp_code, str(refused)) == (status, rsp_code, words)


def test_a_portal_that_is_away_did_not_refuse():
    assert not issubclass(PortalAway, PortalRefused)
    assert not issubclass(PortalRefused, PortalAway)


def test_every_call_to_the_portal_says_what_it_promises():
    duties = [duty for name, duty in vars(Portal).items() if inspect.isfunction(duty) and not name.startswith("_")]
    assert len(duties) == 3
    assert all(duty.__doc__ and inspect.iscoroutinefunction(duty) for duty in duties)
