import hashlib
from dataclasses import replace

import pytest

from relay.oauth.pages.callbacks import (
    Denial,
    RecentRedirects,
    build_code_record,
    build_code_url,
    build_denial_url,
    form_action_sources,
)


@pytest.mark.parametrize("denial", Denial)
def test_every_denial_has_an_error_with_state_and_tran_id(auth_request, denial):
    url = build_denial_url(auth_request, denial)
    assert url.startswith("https://operator.example/callback?from=relay&error=")
    assert ("error=unauthorized_user" in url) == (denial is Denial.ANOTHER_CUSTOMER)
    assert url.endswith("&state=state1&api_tran_id=ZOPA000001M00000000000001")
    assert auth_request.ci not in url


def test_an_app_is_a_callback_too(auth_request):
    assert build_code_url(replace(auth_request, redirect_uri="moabogi://done"), "c0de").startswith(
        "moabogi://done?code=c0de&state="
    )


def test_a_code_is_stored_as_its_digest():
    record = build_code_record("c0de", 600, 1000)
    assert (record.digest, record.expires_at) == (hashlib.sha256(b"c0de").digest(), 1600)


@pytest.mark.parametrize(
    ("redirect_uri", "app_scheme", "sources"),
    [
        ("https://operator.example/callback", "moabogi://done", ("https://operator.example", "moabogi:")),
        ("https://operator.example:8443/c?x=1", "moabogi", ("https://operator.example:8443", "moabogi:")),
        ("http://[::1]:80/c", "Moa.Bogi+1://x", ("http://[::1]:80", "moa.bogi+1:")),
        ("moabogi://callback", "moabogi://done", ("moabogi:",)),
        ("https://a.example; script-src *", "1bad://x", ()),
        ("https://user@a.example/", "bad scheme://", ()),
    ],
)
def test_forms_may_lead_to_the_callbacks_origin_and_the_apps_scheme(auth_request, redirect_uri, app_scheme, sources):
    assert form_action_sources(replace(auth_request, redirect_uri=redirect_uri, app_scheme=app_scheme)) == sources


def test_a_redirect_is_remembered_briefly_for_its_sender():
    redirects = RecentRedirects()
    redirects.remember(b"one", "https://there", 100.0)
    assert redirects.get(b"one", 104.9) == "https://there"
    assert redirects.get(b"one", 105.0) is None
    assert redirects.get(b"other", 100.0) is None


def test_the_number_of_remembered_redirects_is_limited():
    redirects = RecentRedirects(capacity=2)
    for sender in (b"1", b"2", b"3"):
        redirects.remember(sender, "x", 100.0)
    assert [redirects.get(sender, 100.0) for sender in (b"1", b"2", b"3")] == ["x", "x", None]
    redirects.remember(b"3", "x", 200.0)
    assert redirects.get(b"3", 200.0) == "x"


def test_a_remembered_redirect_is_not_printed():
    redirects = RecentRedirects()
    redirects.remember(b"one", "https://there?code=secret", 0.0)
    assert "secret" not in repr(redirects)
