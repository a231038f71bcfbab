import hashlib
from dataclasses import replace

import pytest

from relay.oauth.pages.answers import Denial, LastAnswers, code_record, denied, granted, origins_of


@pytest.mark.parametrize("denial", Denial)
def test_every_denial_tells_an_error_of_authorize_with_state_and_tran_id(asked, denial):
    url = denied(asked, denial)
    assert url.startswith("https://operator.example/callback?from=relay&error=")
    assert ("error=unauthorized_user" in url) == (denial is Denial.ANOTHER_CUSTOMER)
    assert url.endswith("&state=state1&api_tran_id=ZOPA000001M00000000000001")
    assert asked.ci not in url


def test_an_app_is_a_callback_too(asked):
    assert granted(replace(asked, redirect_uri="moabogi://done"), "c0de").startswith("moabogi://done?code=c0de&state=")


def test_a_code_is_kept_as_its_digest():
    record = code_record("c0de", 600, 1000)
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
def test_forms_may_lead_to_the_callbacks_origin_and_the_apps_scheme(asked, redirect_uri, app_scheme, sources):
    assert origins_of(replace(asked, redirect_uri=redirect_uri, app_scheme=app_scheme)) == sources


def test_an_answer_is_remembered_for_a_moment_and_for_its_sender():
    last = LastAnswers()
    last.keep(b"one", "https://there", 100.0)
    assert last.find(b"one", 104.9) == "https://there"
    assert last.find(b"one", 105.0) is None
    assert last.find(b"other", 100.0) is None


def test_answers_take_no_more_room_than_they_may_and_make_room():
    last = LastAnswers(most=2)
    for sender in (b"1", b"2", b"3"):
        last.keep(sender, "x", 100.0)
    assert [last.find(sender, 100.0) for sender in (b"1", b"2", b"3")] == ["x", "x", None]
    last.keep(b"3", "x", 200.0)
    assert last.find(b"3", 200.0) == "x"


def test_a_remembered_answer_is_not_printed():
    last = LastAnswers()
    last.keep(b"one", "https://there?code=secret", 0.0)
    assert "secret" not in repr(last)
