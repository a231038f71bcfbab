"""The particulars of the transfer request, at all institutions."""

import pytest
from mydata_sandbox.world.model import CUSTOMERS

FLAGS = {
    "bank": {"is_consent_trans_memo"},
    "card": {"is_consent_merchant_name_regno"},
    "efin": {"is_consent_trans_memo", "is_consent_merchant_name_regno", "is_consent_trans_category"},
    "telecom": {"is_consent_merchant_name_regno"},
}
INDUSTRIES = ["bank", "card", "invest", "insu", "efin", "capital", "ginsu", "telecom", "p2p", "bond", "usury"]


@pytest.mark.parametrize("industry", INDUSTRIES)
@pytest.mark.parametrize("customer", CUSTOMERS)
def test_particulars_fit_the_catalogue(build_client, industry, customer):
    body = build_client(industry, customer)("정보제공-공통-002")
    assert {name for name in body if name.startswith("is_consent_")} == FLAGS.get(industry, set())
    assert (body["is_scheduled"], body["fnd_cycle"], body["add_cycle"]) == ("true", "1/w", "1/w")
    assert body["end_date"] > "20261120"
    assert body["period"] == "99991231"
