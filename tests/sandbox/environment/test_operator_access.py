import pytest
from mydata_sandbox.environment.operator_access import OperatorAccess, UnknownName


def test_access_is_that_of_the_built_sandbox(with_portal):
    access = OperatorAccess.load(with_portal.folder, "ZCDA000001", "ZOPA000002SVC01")
    operator, certifiers = with_portal.operators[1], with_portal.certifiers
    assert (access.gateway, access.certifier) == (with_portal.gateway, certifiers.signature)
    assert (access.operator, access.client_secret) == (operator.org_code, operator.client_secrets[0])
    assert access.identity.certificate.samefile(operator.identity.certificate)
    assert (access.callback, access.industry) == (operator.callback, "card")
    assert access.certifier_client == (certifiers.client_id, certifiers.client_secret)
    assert access.ca.is_absolute()


@pytest.mark.parametrize(
    ("org_code", "client_id", "words"),
    [
        ("ZBAA000001", "X", "client_id X is not one of ZOPA000001SVC01, ZOPA000001SVC02, ZOPA000002SVC01"),
        ("X", "ZOPA000001SVC01", "org_code X is not one of ZBAA000001, "),
    ],
)
def test_unknown_names_get_the_choices(with_portal, org_code, client_id, words):
    with pytest.raises(UnknownName, match=words):
        OperatorAccess.load(with_portal.folder, org_code, client_id)
