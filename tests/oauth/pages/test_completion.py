from dataclasses import replace
from datetime import date

import pytest

from relay.domain.authorization.consent import Asset, Particulars, Target
from relay.domain.authorization.request import RequestState
from relay.oauth.pages.answers import Denial
from relay.oauth.pages.completion import Unsound, away, deny, give, scopes_at, sound

NOW = 1_795_316_400
GOOD = Particulars(
    is_scheduled=False,
    end_date=date(2027, 11, 22),
    purpose="통합조회",
    period=date(9999, 12, 31),
    targets=(Target("bank.deposit"),),
)


def test_sound_particulars_have_the_list_scope(bank):
    assert sound(GOOD, bank, NOW).scopes == ("bank.list", "bank.deposit")


@pytest.mark.parametrize(
    ("changed", "member"),
    [
        ({"end_date": date(2027, 11, 23)}, "end_date"),
        ({"targets": (Target("card.card"),)}, "scope"),
        ({"targets": (Target("bank.deposit", (Asset("1" * 99),)),)}, "asset"),
    ],
)
def test_others_are_unsound_and_the_member_is_named(bank, changed, member):
    with pytest.raises(Unsound, match=f"^{member}$"):
        sound(replace(GOOD, **changed), bank, NOW)


def test_scopes_are_those_of_the_institutions_industry(bank):
    assert {scope.partition(".")[0] for scope in scopes_at(bank)} == {"bank"}


async def test_a_code_stands_in_the_callback_alone(authority, asked):
    await authority.ledger.open_request(replace(asked, state=RequestState.AUTHENTICATED))
    location = await give(authority, asked, GOOD)
    code = location.partition("&code=")[2].partition("&")[0]
    assert len(code) >= 43
    assert code not in repr((authority.ledger.consents, authority.ledger.codes))


async def test_a_denial_is_written_before_it_is_told(authority, asked):
    await authority.ledger.open_request(asked)
    assert "error=access_denied" in await deny(authority, asked, Denial.CANCELLED)
    assert authority.ledger.history == [(RequestState.DENIED, "customer_cancelled")]


def test_the_way_back_is_302():
    assert (away("https://there").status, away("https://there").headers["Location"]) == (302, "https://there")
