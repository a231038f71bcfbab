import json
from datetime import date, timedelta

import pytest

from relay.domain.authorization.grant import NotYet
from relay.domain.exchange import Exchange
from relay.domain.fault import Refusal
from relay.domain.party import Peer
from relay.gateway.judge import judge, today_in_korea

NIGHT = 1_700_000_000.5
"""2023-11-15 07:13:20 in Korea, outside the bank's slots."""

NOON = NIGHT + 5 * 3600
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
def ask(plan, judges):
    """Judges a head of operator one that came at `received`; `exchange` is what was noted."""
    callers = plan.callers.recognise(Peer("9998101001", "192.0.2.1"))

    def judged(head, body=b"", received=NIGHT):
        judged.exchange = Exchange(5.0, received)
        return judge(plan, judges, callers, head, body, judged.exchange)

    return judged


def refused(ask, *arguments):
    with pytest.raises(Refusal) as refusal:
        ask(*arguments)
    return refusal.value.fault.name


def test_a_good_call_passes_and_is_noted(ask, head, keyring, counters):
    route, institution, grant = ask(head())
    noted = ask.exchange
    assert (route.api.api_code, institution.org_code, grant.jti) == ("BA01", "ZBAA000001", "one")
    assert (noted.api_code, noted.industry, noted.provider) == ("BA01", "bank", "ZBAA000001")
    assert (noted.operator, noted.client_id) == ("ZOPA000001", "ZOPA000001SVC01")
    assert (noted.api_type, noted.tran_id) == ("user-refresh", "ZOPA000001M00000000000001")
    assert keyring.asked == [(b"Bearer good", 1_700_000_000.5)]
    assert counters.taken == [("ZOPA000001", "ZBAA000001", 5.0)]


def test_a_good_post_passes(ask, head):
    route, _, _ = ask(head(DETAIL, "POST", Content_Type="application/json"), BODY)
    assert route.api.api_code == "BA03"


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
    counters.full = "operator_rate"
    assert refused(ask, head()) == "operator_rate"
    assert refused(ask, head("/v1/bank/accounts?org_code=ZBAA000001&limit=0")) == "parameter_malformed"


def test_a_scope_of_another_api_is_missing(ask, head, counters):
    body = BODY
    assert refused(ask, head("/v1/bank/accounts/loan/basic", "POST", Content_Type="application/json"), body) == (
        "scope_missing"
    )
    assert counters.taken == []


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"bank.list2", "bank", "bank.lis"})])
def test_a_scope_that_only_looks_alike_is_missing(ask, head, keyring, scopes):
    object.__setattr__(keyring.known, "scopes", scopes)
    assert refused(ask, head()) == "scope_missing"


def test_what_is_known_of_a_refused_call_is_noted(ask, head):
    assert refused(ask, head(Authorization="Bearer bad")) == "token_untrusted"
    assert (ask.exchange.api_code, ask.exchange.provider, ask.exchange.client_id) == ("BA01", "ZBAA000001", "")


def test_the_list_of_apis_needs_neither_token_nor_type(ask, head, keyring):
    lines = {"Authorization": None, "x_api_type": None}
    route, _, grant = ask(head("/bank/apis?org_code=ZBAA000001&client_id=x", **lines))
    assert (route.needs_token, grant, keyring.asked) == (False, None, [])


@pytest.mark.parametrize(
    ("client_id", "noted"),
    [
        ("ZOPA000009SVC01", ("ZOPA000009", "ZOPA000009SVC01")),
        ("ZOPA000001SVC01", ("ZOPA000001", "ZOPA000001SVC01")),
        ("ZOPA000002SVC01", ("ZOPA000001", "")),  # of somebody with another certificate
        ("nobody", ("ZOPA000001", "")),
    ],
)
def test_the_list_of_apis_is_asked_for_by_the_service_it_names_if_it_is_the_callers(
    replan, judges, head, client_id, noted
):
    pairs = [("ZOPA000001", "999-81-01001"), ("ZOPA000009", "999-81-01001"), ("ZOPA000002", "999-81-01002")]
    plan = replan(*pairs)
    callers = plan.callers.recognise(Peer("9998101001", "192.0.2.1"))
    exchange = Exchange(5.0, 6.0)
    asked = head(f"/bank/apis?org_code=ZBAA000001&client_id={client_id}", Authorization=None, x_api_type=None)
    judge(plan, judges, callers, asked, b"", exchange)
    assert (exchange.operator, exchange.client_id) == noted


def test_an_institution_that_checks_nothing_takes_any_parameter_and_type(ask, head, keyring):
    object.__setattr__(keyring.known, "org_code", "ZBAA000002")
    assert ask(head("/v1/bank/accounts?org_code=ZBAA000002&limit=0", x_api_type="other"))
    assert ask.exchange.api_type == ""


def test_of_two_org_codes_under_one_certificate_the_token_tells_who_calls(replan, judges, head):
    plan = replan(("ZOPA000009", "999-81-01001"), ("ZOPA000001", "999-81-01001"))
    callers = plan.callers.recognise(Peer("9998101001", "192.0.2.1"))
    exchange = Exchange(5.0, 6.0)
    judge(plan, judges, callers, head(), b"", exchange)
    assert (len(callers), exchange.operator) == (2, "ZOPA000001")


def test_a_card_in_the_path_is_held_to_its_field(ask, head, keyring):
    object.__setattr__(keyring.known, "org_code", "ZCDA000001")
    target = "/v1/card/cards/{}?org_code=ZCDA000001&search_timestamp=0"
    assert ask(head(target.format("abc123")))[0].api.api_code == "CD02"
    assert refused(ask, head(target.format("a-b"))) == "endpoint_unknown"


def revoked(call):
    call.grants.refused = "token_revoked"


def end_consent(call):
    call.grants.grant.ends = NIGHT


def without_scope(call):
    object.__setattr__(call.keyring.known, "scopes", frozenset({"bank.list"}))


def send_malformed(call):
    call.values["limit"] = "0"


def too_long(call):
    call.days = 60


def too_old(call):
    call.start = date(2018, 1, 1)


def asset_left_out(call):
    call.grants.grant.assets = {"bank.deposit": frozenset({("2", "")})}


def on_demand(call):
    call.grants.grant.scheduled = False


def closed(call):
    call.received = NIGHT


def down(call):
    call.later = 7 * 86_400  # the bank's maintenance is that day


def full(call):
    call.counters.full = "operator_rate"


ORDER = [
    (revoked, "token_revoked", "40101"),
    (end_consent, "consent_ended", "40106"),
    (without_scope, "scope_missing", "40104"),
    (send_malformed, "parameter_malformed", "40001"),
    (too_long, "period_too_long", "40004"),
    (too_old, "period_too_old", "40304"),
    (asset_left_out, "asset_not_consented", "40105"),
    (on_demand, "transfer_not_scheduled", "40301"),
    (closed, "slot_closed", "50009"),
    (down, "provider_maintenance", "50008"),
    (full, "operator_rate", "42901"),
]
"""What can be wrong with a scheduled call for an account's transactions, in the order in which it is said."""


class Scheduled:
    """A scheduled call for transactions, good until something is done to it."""

    def __init__(self, keyring, grants, counters):
        self.keyring, self.grants, self.counters = keyring, grants, counters
        self.start, self.days, self.received, self.later = date(2023, 10, 1), 9, NOON, 0
        self.values = {"org_code": "ZBAA000001", "account_num": "1", "limit": "10"}

    @property
    def body(self):
        period = {"from_date": self.start, "to_date": self.start + timedelta(self.days)}
        return json.dumps(self.values | {name: f"{day:%Y%m%d}" for name, day in period.items()}).encode()


@pytest.fixture
def scheduled(ask, head, keyring, grants, counters):
    """A scheduled call; called, it is judged."""
    call = Scheduled(keyring, grants, counters)
    lines = {"Content_Type": "application/json", "x_api_type": "scheduled"}
    path = "/v1/bank/accounts/deposit/transactions"
    call.judged = lambda: ask(head(path, "POST", **lines), call.body, call.received + call.later)
    return call


def test_a_good_scheduled_call_passes(scheduled, counters):
    assert scheduled.judged()[0].api.api_code == "BA04"
    assert counters.taken == [("ZOPA000001", "ZBAA000001", 5.0)]


@pytest.mark.parametrize("later", range(len(ORDER)))
@pytest.mark.parametrize("earlier", range(len(ORDER)))
def test_of_two_wrongs_about_the_consent_the_earlier_is_said(scheduled, counters, earlier, later):
    for at in {earlier, later}:
        ORDER[at][0](scheduled)
    with pytest.raises(Refusal) as refusal:
        scheduled.judged()
    _, name, rsp_code = ORDER[min(earlier, later)]
    assert (refusal.value.fault.name, refusal.value.fault.rsp_code) == (name, rsp_code)
    assert counters.taken == []


@pytest.mark.parametrize("wrong", [row[0] for row in ORDER], ids=[row[1] for row in ORDER])
def test_whoever_is_refused_after_the_token_was_believed_is_counted_under_its_service(scheduled, ask, wrong):
    wrong(scheduled)
    with pytest.raises(Refusal):
        scheduled.judged()
    assert (ask.exchange.operator, ask.exchange.client_id) == ("ZOPA000001", "ZOPA000001SVC01")


def test_a_genuine_token_tells_the_service_also_when_it_opens_nothing(ask, head, keyring):
    object.__setattr__(keyring.known, "org_code", "ZCDA000001")
    assert refused(ask, head()) == "token_of_other_provider"
    assert (ask.exchange.operator, ask.exchange.client_id) == ("ZOPA000001", "ZOPA000001SVC01")


def test_a_call_on_demand_asks_neither_for_a_slot_nor_for_regular_transfer(ask, head, grants):
    grants.grant.scheduled = False
    assert ask(head(), received=NIGHT)


def test_whoever_is_wrong_about_the_token_learns_nothing_of_the_consent(ask, head, grants, keyring):
    grants.refused = "token_unknown"
    object.__setattr__(keyring.known, "aud", "ZOPA000002")
    assert refused(ask, head()) == "token_of_other_operator"


def test_a_grant_that_was_not_seen_before_is_not_yet_there(ask, head, grants):
    grants.unknown = True
    with pytest.raises(NotYet) as found:
        ask(head())
    assert found.value.jti == "one"


def test_the_asset_of_a_card_stands_in_the_path(ask, head, keyring, grants):
    object.__setattr__(keyring.known, "org_code", "ZCDA000001")
    grants.grant.assets = {"card.card": frozenset({("abc123", "")})}
    target = "/v1/card/cards/{}?org_code=ZCDA000001&search_timestamp=0"
    assert ask(head(target.format("abc123")))
    assert refused(ask, head(target.format("abc124"))) == "asset_not_consented"


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (0, date(1970, 1, 1)),
        (54_000, date(1970, 1, 2)),
        (53_999, date(1970, 1, 1)),
        (1_700_000_000, date(2023, 11, 15)),
    ],
)
def test_a_day_begins_at_midnight_in_korea(now, day):
    assert today_in_korea(now) == day
