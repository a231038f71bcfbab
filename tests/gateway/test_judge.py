import json
from datetime import date, timedelta

import pytest

from relay.domain.authorization.grant import NotCached
from relay.domain.exchange import Exchange
from relay.domain.fault import Refusal
from relay.domain.party import Peer
from relay.gateway.judge import judge

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
"""Faults of a GET and the changes that cause them, in the order of the checks."""


@pytest.fixture
def ask(plan, dependencies):
    """Judges a head of operator one, received at `received`; `ask.exchange` is the record."""
    callers = plan.callers.identify(Peer("9998101001", "192.0.2.1"))

    def judge_head(head, body=b"", received=NIGHT):
        judge_head.exchange = Exchange(5.0, received)
        return judge(plan, dependencies, callers, head, body, judge_head.exchange)

    return judge_head


def ask_refused(ask, *arguments):
    with pytest.raises(Refusal) as refusal:
        ask(*arguments)
    return refusal.value.fault.name


def test_a_valid_call_is_accepted_and_recorded(ask, head, token_verifier, counters):
    route, institution, grant, _ = ask(head())
    exchange = ask.exchange
    assert (route.api.api_code, institution.org_code, grant.jti) == ("BA01", "ZBAA000001", "one")
    assert (exchange.api_code, exchange.industry, exchange.provider) == ("BA01", "bank", "ZBAA000001")
    assert (exchange.operator, exchange.client_id) == ("ZOPA000001", "ZOPA000001SVC01")
    assert (exchange.api_type, exchange.tran_id) == ("user-refresh", "ZOPA000001M00000000000001")
    assert token_verifier.asked == [(b"Bearer good", 1_700_000_000.5)]
    assert counters.taken == [("ZOPA000001", "ZBAA000001", "ZOPA000001SVC01", False, 5.0)]


def test_a_valid_post_is_accepted(ask, head):
    route, *_ = ask(head(DETAIL, "POST", Content_Type="application/json"), BODY)
    assert route.api.api_code == "BA03"


@pytest.mark.parametrize(("fault", "wrong"), WRONG)
def test_each_fault_is_reported_and_counts_in_no_quota(ask, head, counters, fault, wrong):
    assert ask_refused(ask, head(**wrong)) == fault
    assert counters.taken == []


@pytest.mark.parametrize("later", range(2, len(WRONG)))
@pytest.mark.parametrize("earlier", range(2, len(WRONG)))
def test_of_two_faults_the_earlier_is_reported(ask, head, earlier, later):
    both = WRONG[max(earlier, later)][1] | WRONG[min(earlier, later)][1]
    assert ask_refused(ask, head(**both)) == WRONG[min(earlier, later)][0]


def test_a_token_is_verified_after_the_institution(ask, head, token_verifier):
    ask_refused(ask, head("/v1/bank/accounts?org_code=ZZZZ999999"))
    assert token_verifier.asked == []


def test_the_rate_is_checked_last(ask, head, counters):
    counters.full = "operator_rate"
    assert ask_refused(ask, head()) == "operator_rate"
    assert ask_refused(ask, head("/v1/bank/accounts?org_code=ZBAA000001&limit=0")) == "parameter_malformed"


def test_a_scope_of_another_api_is_missing(ask, head, counters):
    body = BODY
    assert ask_refused(ask, head("/v1/bank/accounts/loan/basic", "POST", Content_Type="application/json"), body) == (
        "scope_missing"
    )
    assert counters.taken == []


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"bank.list2", "bank", "bank.lis"})])
def test_a_similar_scope_is_not_the_scope(ask, head, token_verifier, scopes):
    object.__setattr__(token_verifier.known, "scopes", scopes)
    assert ask_refused(ask, head()) == "scope_missing"


def test_known_parts_of_a_refused_call_are_recorded(ask, head):
    assert ask_refused(ask, head(Authorization="Bearer bad")) == "token_untrusted"
    assert (ask.exchange.api_code, ask.exchange.provider, ask.exchange.client_id) == ("BA01", "ZBAA000001", "")


def test_the_list_of_apis_needs_neither_token_nor_type(ask, head, token_verifier):
    lines = {"Authorization": None, "x_api_type": None}
    route, _, grant, _ = ask(head("/bank/apis?org_code=ZBAA000001&client_id=x", **lines))
    assert (route.needs_token, grant, token_verifier.asked) == (False, None, [])


@pytest.mark.parametrize(
    ("client_id", "recorded"),
    [
        ("ZOPA000009SVC01", ("ZOPA000009", "ZOPA000009SVC01")),
        ("ZOPA000001SVC01", ("ZOPA000001", "ZOPA000001SVC01")),
        ("ZOPA000002SVC01", ("ZOPA000001", "")),  # has another certificate
        ("unknown", ("ZOPA000001", "")),
    ],
)
def test_the_list_of_apis_is_recorded_with_the_callers_service(replan, dependencies, head, client_id, recorded):
    pairs = [("ZOPA000001", "999-81-01001"), ("ZOPA000009", "999-81-01001"), ("ZOPA000002", "999-81-01002")]
    plan = replan(*pairs)
    callers = plan.callers.identify(Peer("9998101001", "192.0.2.1"))
    exchange = Exchange(5.0, 6.0)
    request = head(f"/bank/apis?org_code=ZBAA000001&client_id={client_id}", Authorization=None, x_api_type=None)
    judge(plan, dependencies, callers, request, b"", exchange)
    assert (exchange.operator, exchange.client_id) == recorded


def test_checking_off_accepts_any_parameter_and_api_type(ask, head, token_verifier):
    object.__setattr__(token_verifier.known, "org_code", "ZBAA000002")
    assert ask(head("/v1/bank/accounts?org_code=ZBAA000002&limit=0", x_api_type="other"))
    assert ask.exchange.api_type == ""


def test_the_token_identifies_one_of_two_operators_of_a_certificate(replan, dependencies, head):
    plan = replan(("ZOPA000009", "999-81-01001"), ("ZOPA000001", "999-81-01001"))
    callers = plan.callers.identify(Peer("9998101001", "192.0.2.1"))
    exchange = Exchange(5.0, 6.0)
    judge(plan, dependencies, callers, head(), b"", exchange)
    assert (len(callers), exchange.operator) == (2, "ZOPA000001")


def test_a_card_in_the_path_must_match_its_field(ask, head, token_verifier):
    object.__setattr__(token_verifier.known, "org_code", "ZCDA000001")
    target = "/v1/card/cards/{}?org_code=ZCDA000001&search_timestamp=0"
    assert ask(head(target.format("abc123")))[0].api.api_code == "CD02"
    assert ask_refused(ask, head(target.format("a-b"))) == "endpoint_unknown"


def revoke(call):
    call.grants.refused = "token_revoked"


def end_consent(call):
    call.grants.grant.ends_at = NIGHT


def remove_scope(call):
    object.__setattr__(call.token_verifier.known, "scopes", frozenset({"bank.list"}))


def send_malformed(call):
    call.values["limit"] = "0"


def ask_long_period(call):
    call.days = 60


def ask_old_period(call):
    call.start = date(2018, 1, 1)


def remove_asset(call):
    call.grants.grant.assets = "\nbank.deposit\t2\t\n"


def forbid_scheduled(call):
    call.grants.grant.is_scheduled = False


def close_slot(call):
    call.received = NIGHT


def start_maintenance(call):
    call.later = 7 * 86_400  # the bank's maintenance is that day


def make_transfer(call):
    call.transfers.made = "weekly_quota"


def fill_quota(call):
    call.counters.full = "operator_rate"


ORDER = [
    (revoke, "token_revoked", "40101"),
    (end_consent, "consent_ended", "40106"),
    (remove_scope, "scope_missing", "40104"),
    (send_malformed, "parameter_malformed", "40001"),
    (ask_long_period, "period_too_long", "40004"),
    (ask_old_period, "period_too_old", "40304"),
    (remove_asset, "asset_not_consented", "40105"),
    (forbid_scheduled, "transfer_not_scheduled", "40301"),
    (close_slot, "slot_closed", "50009"),
    (start_maintenance, "provider_maintenance", "50008"),
    (make_transfer, "weekly_quota", "42901"),
    (fill_quota, "operator_rate", "42901"),
]
"""Changes of a scheduled call for transactions, their faults and codes, in the order of the checks."""


class Scheduled:
    """A valid scheduled call for transactions, for tests to change."""

    def __init__(self, token_verifier, grants, counters, transfers):
        self.token_verifier, self.grants, self.counters, self.transfers = token_verifier, grants, counters, transfers
        self.start, self.days, self.received, self.later = date(2023, 10, 1), 9, NOON, 0
        self.values = {"org_code": "ZBAA000001", "account_num": "1", "limit": "10"}

    @property
    def body(self):
        period = {"from_date": self.start, "to_date": self.start + timedelta(self.days)}
        return json.dumps(self.values | {name: f"{day:%Y%m%d}" for name, day in period.items()}).encode()


@pytest.fixture
def scheduled(ask, head, token_verifier, grants, counters, dependencies):
    """A scheduled call; `judge` accepts it."""
    call = Scheduled(token_verifier, grants, counters, dependencies.transfers)
    lines = {"Content_Type": "application/json", "x_api_type": "scheduled"}
    path = "/v1/bank/accounts/deposit/transactions"
    call.judge = lambda: ask(head(path, "POST", **lines), call.body, call.received + call.later)
    return call


def test_a_valid_scheduled_call_is_accepted(scheduled, counters):
    assert scheduled.judge()[0].api.api_code == "BA04"
    assert counters.taken == [("ZOPA000001", "ZBAA000001", "ZOPA000001SVC01", True, 5.0)]


def test_a_scheduled_call_begins_a_transfer_of_its_asset(scheduled, dependencies):
    transfer = scheduled.judge()[3]
    scheduled.values["next_page"] = "2"
    assert scheduled.judge()[3] == transfer._replace(is_continuation=True)
    scheduled.values["account_num"] = "2"
    assert scheduled.judge()[3].digest != transfer.digest
    assert len(dependencies.transfers.started) == 3


def test_a_call_on_demand_is_not_limited_to_one_a_week(ask, head, dependencies):
    dependencies.transfers.made = "weekly_quota"
    assert ask(head())[3] is None


def test_the_particulars_of_a_consent_have_no_weekly_quota(ask, head, dependencies):
    dependencies.transfers.made = "weekly_quota"
    assert ask(head("/v1/bank/consents?org_code=ZBAA000001", x_api_type="scheduled"), received=NOON)[3] is None


@pytest.mark.parametrize("later", range(len(ORDER)))
@pytest.mark.parametrize("earlier", range(len(ORDER)))
def test_of_two_faults_of_the_consent_the_earlier_is_reported(scheduled, counters, earlier, later):
    for at in {earlier, later}:
        ORDER[at][0](scheduled)
    with pytest.raises(Refusal) as refusal:
        scheduled.judge()
    _, name, rsp_code = ORDER[min(earlier, later)]
    assert (refusal.value.fault.name, refusal.value.fault.rsp_code) == (name, rsp_code)
    assert counters.taken == []


@pytest.mark.parametrize("break_call", [row[0] for row in ORDER], ids=[row[1] for row in ORDER])
def test_a_call_refused_after_its_token_is_recorded_with_its_service(scheduled, ask, break_call):
    break_call(scheduled)
    with pytest.raises(Refusal):
        scheduled.judge()
    assert (ask.exchange.operator, ask.exchange.client_id) == ("ZOPA000001", "ZOPA000001SVC01")


def test_a_genuine_token_for_another_institution_names_the_service(ask, head, token_verifier):
    object.__setattr__(token_verifier.known, "org_code", "ZCDA000001")
    assert ask_refused(ask, head()) == "token_of_other_provider"
    assert (ask.exchange.operator, ask.exchange.client_id) == ("ZOPA000001", "ZOPA000001SVC01")


def test_a_call_on_demand_needs_no_slot_and_no_scheduled_consent(ask, head, grants):
    grants.grant.is_scheduled = False
    assert ask(head(), received=NIGHT)


def test_a_foreign_token_reveals_nothing_of_its_consent(ask, head, grants, token_verifier):
    grants.refused = "token_unknown"
    object.__setattr__(token_verifier.known, "aud", "ZOPA000002")
    assert ask_refused(ask, head()) == "token_of_other_operator"


def test_an_unknown_grant_raises_not_yet(ask, head, grants):
    grants.unknown = True
    with pytest.raises(NotCached) as missing:
        ask(head())
    assert missing.value.jti == "one"


def test_the_asset_of_a_card_is_in_the_path(ask, head, token_verifier, grants):
    object.__setattr__(token_verifier.known, "org_code", "ZCDA000001")
    grants.grant.assets = "\ncard.card\tabc123\t\n"
    target = "/v1/card/cards/{}?org_code=ZCDA000001&search_timestamp=0"
    assert ask(head(target.format("abc123")))
    assert ask_refused(ask, head(target.format("abc124"))) == "asset_not_consented"
