"""Errors of the portal, whose texts show no values."""

import inspect

import pytest

from relay.domain.portal import Portal, PortalDown, PortalRefused


@pytest.mark.parametrize(
    ("status", "rsp_code", "api_id", "words"),
    [
        (403, "40301", "", "HTTP 403, rsp_code 40301"),
        (500, "", "", "HTTP 500, rsp_code none"),
        (401, "invalid_client", "지원-001", "지원-001: HTTP 401, rsp_code invalid_client"),
    ],
)
def test_a_refusal_has_api_status_and_code(status, rsp_code, api_id, words):
    refused = PortalRefused(status, rsp_code, api_id)
    assert (refused.status, refused.rsp_code, str(refused)) == (status, rsp_code, words)


def test_unavailable_and_refused_are_different_errors():
    assert not issubclass(PortalDown, PortalRefused)
    assert not issubclass(PortalRefused, PortalDown)


def test_portal_methods_are_documented_coroutines():
    methods = [
        method for name, method in vars(Portal).items() if inspect.isfunction(method) and not name.startswith("_")
    ]
    assert len(methods) == 3
    assert all(method.__doc__ and inspect.iscoroutinefunction(method) for method in methods)
