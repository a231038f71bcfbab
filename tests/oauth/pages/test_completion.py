from dataclasses import replace
from datetime import date

import pytest

from relay.domain.authorization.consent import Asset, Particulars, Target
from relay.domain.authorization.request import RequestState
from relay.oauth.pages.callbacks import Denial
from relay.oauth.pages.completion import (
    InvalidParticulars,
    complete_particulars,
    deny_request,
    record_consent,
    redirect_to_operator,
)

NOW = 1_795_316_400
GOOD = Particulars(
    is_scheduled=False,
    end_date=date(2027, 11, 22),
    purpose="통합조회",
    period=date(9999, 12, 31),
    targets=(Target("bank.deposit"),),
)


def test_valid_particulars_have_the_list_scope(bank):
    assert complete_particulars(GOOD, bank, NOW).scopes == ("bank.list", "bank.deposit")


@pytest.mark.parametrize(
    ("changed", "member"),
    [
        ({"end_date": date(2027, 11, 23)}, "end_date"),
        ({"targets": (Target("card.card"),)}, "scope"),
        ({"targets": (Target("bank.deposit", (Asset("1" * 99),)),)}, "asset"),
    ],
)
def test_invalid_particulars_name_their_member(bank, changed, member):
    with pytest.raises(InvalidParticulars, match=f"^{member}$"):
        complete_particulars(replace(GOOD, **changed), bank, NOW)


async def test_only_the_callback_contains_the_code(authority, auth_request):
    await authority.ledger.open_request(replace(auth_request, state=RequestState.AUTHENTICATED))
    location = await record_consent(authority, auth_request, GOOD)
    code = location.partition("&code=")[2].partition("&")[0]
    assert len(code) >= 43
    assert code not in repr((authority.ledger.consents, authority.ledger.codes))


async def test_a_denial_is_recorded(authority, auth_request):
    await authority.ledger.open_request(auth_request)
    assert "error=access_denied" in await deny_request(authority, auth_request, Denial.CANCELLED)
    assert authority.ledger.history == [(RequestState.DENIED, "customer_cancelled")]


def test_the_redirect_is_302():
    assert (
        redirect_to_operator("https://there").status,
        redirect_to_operator("https://there").headers["Location"],
    ) == (
        302,
        "https://there",
    )
