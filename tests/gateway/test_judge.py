import pytest

from relay.domain.exchange import Exchange
from relay.domain.fault import Refusal
from relay.domain.party import Peer
from relay.gateway.judge import judge

DETAIL = "/v1/bank/accounts/deposit/detail"
BODY = b'{"org_code":"ZBAA000001","account_num":"1","search_timestamp":"0"}'
WRONG = [
    ("endpoint_unknown", {"target": "/v1/bank/nothing"}),
    ("method_not_allowed", {"target": DETAIL}),
    ("version_not_served", {"target": "/v9/bank/accounts?org_code=ZZZZ999999"}),
    ("header_malformed", {"x_api_tran_id": "short"}),
    ("provider_unknown", {"target": "/v1/bank/accounts?org_code=ZZZZ999999"}),
    ("header_malformed", {"x_api_type": "other"}),
    ("token_missing", {"Authorization": None}),
    ("parameter_malformed", {"target": "/v1/bank/accounts?org_code=ZBAA000001&limit=0"}),
]
"""What can be wrong with a GET, in the order in which it is said."""


@pytest.fixture
def ask(plan, keyring, counters):
    """Judges a head of operator one; `exchange` is what was noted."""
    callers = plan.callers.recognise(Peer("9998101001", "192.0.2.1"))

    def judged(head, body=b"", callers=callers):
        judged.exchange = Exchange(5.0, 1_700_000_000.5)
        return judge(plan, keyring, counters, callers, head, body, judged.exchange)

    return judged


def refused(ask, *arguments):
    with pytest.raises(Refusal) as refusal:
        ask(*arguments)
    return refusal.value.fault.name


def test_a_good_call_passes_and_is_noted(ask, head, keyring, counters):
    route, institution = ask(head())
    noted = ask.exchange
    assert (route.api_code, institution.org_code) == ("BA01", "ZBAA000001")
    assert (noted.api_code, noted.industry, noted.provider) == ("BA01", "bank", "ZBAA000001")
    assert (noted.operator, noted.client_id) == ("ZOPA000001", "ZOPA000001SVC01")
    assert (noted.api_type, noted.tran_id) == ("user-refresh", "ZOPA000001M00000000000001")
    assert keyring.asked == [(b"Bearer good", 1_700_000_000.5)]
    assert counters.taken == [("ZOPA000001", "ZBAA000001", 5.0)]


def test_a_good_post_passes(ask, head):
    route, _ = ask(head(DETAIL, "POST", Content_Type="application/json"), BODY)
    assert route.api_code == "BA03"


@pytest.mark.parametrize(("fault", "wrong"), WRONG)
def test_each_wrong_is_said_and_takes_nothing(ask, head, counters, fault, wrong):
    assert refused(ask, head(**wrong)) == fault
    assert counters.taken == []


@pytest.mark.parametrize("later", range(2, len(WRONG)))
@pytest.mark.parametrize("earlier", range(2, len(WRONG)))
def test_of_two_wrongs_the_earlier_is_said(ask, head, earlier, later):
    both = WRONG[max(earlier, later)][1] | WRONG[min(earlier, later)][1]
    assert refused(ask, head(**both)) == WRONG[min(earlier, later)][0]


def test_a_token_is_not_looked_at_before_the_institution_is_known(ask, head, keyring):
    refused(ask, head("/v1/bank/accounts?org_code=ZZZZ999999"))
    assert keyring.asked == []


def test_the_rate_is_asked_last(ask, head, counters):
    counters.full = True
    assert refused(ask, head()) == "operator_rate"
    assert refused(ask, head("/v1/bank/accounts?org_code=ZBAA000001&limit=0")) == "parameter_malformed"


def test_a_scope_of_another_api_is_missing(ask, head, counters):
    body = BODY
    assert refused(ask, head("/v1/bank/accounts/loan/basic", "POST", Content_Type="application/json"), body) == (
        "scope_missing"
    )
    assert counters.taken == []


def test_what_is_known_of_a_refused_call_is_noted(ask, head):
    assert refused(ask, head(Authorization="Bearer bad")) == "token_untrusted"
    assert (ask.exchange.api_code, ask.exchange.provider, ask.exchange.client_id) == ("BA01", "ZBAA000001", "")


def test_the_list_of_apis_needs_neither_token_nor_type(ask, head, keyring):
    lines = {"Authorization": None, "x_api_type": None}
    route, _ = ask(head("/bank/apis?org_code=ZBAA000001&client_id=x", **lines))
    assert (route.needs_token, keyring.asked) == (False, [])


def test_an_institution_that_checks_nothing_takes_any_parameter_and_type(ask, head, keyring):
    object.__setattr__(keyring.known, "org_code", "ZBAA000002")
    assert ask(head("/v1/bank/accounts?org_code=ZBAA000002&limit=0", x_api_type="other"))
    assert ask.exchange.api_type == ""


def test_of_two_org_codes_under_one_certificate_the_token_tells_who_calls(replan, keyring, counters, head):
    plan = replan(("ZOPA000009", "999-81-01001"), ("ZOPA000001", "999-81-01001"))
    callers = plan.callers.recognise(Peer("9998101001", "192.0.2.1"))
    exchange = Exchange(5.0, 6.0)
    judge(plan, keyring, counters, callers, head(), b"", exchange)
    assert (len(callers), exchange.operator) == (2, "ZOPA000001")


def test_a_card_in_the_path_is_held_to_its_field(ask, head, keyring):
    object.__setattr__(keyring.known, "org_code", "ZCDA000001")
    target = "/v1/card/cards/{}?org_code=ZCDA000001&search_timestamp=0"
    assert ask(head(target.format("abc123")))[0].api_code == "CD02"
    assert refused(ask, head(target.format("a-b"))) == "endpoint_unknown"
