from mydata_sandbox.parties import (
    DESCRIPTIONS,
    IDENTITY_CERTIFIER,
    INSTITUTIONS,
    MEDIATED,
    MEDIATED_BY_CODE,
    OPERATORS,
    RELAY_CODE,
    SIGNATURE_CERTIFIER,
)

from relay.domain.ids import INDUSTRIES, ORG_CODE


def test_each_industry_has_one_institution():
    assert tuple(INSTITUTIONS) == INDUSTRIES


def test_codes_are_unique():
    codes = [code for code, _ in INSTITUTIONS.values()] + [code for code, _, _ in OPERATORS]
    codes += [*MEDIATED_BY_CODE, RELAY_CODE, IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER]
    assert len(set(codes)) == len(codes)
    assert all(ORG_CODE.fullmatch(code) for code in codes)


def test_mediated_institutions_have_names_of_their_own():
    assert not set(MEDIATED) & set(INSTITUTIONS)
    assert {party.industry for party in MEDIATED.values()} <= set(INDUSTRIES)
    assert {party.speaks for party in MEDIATED.values()} <= set(DESCRIPTIONS)


def test_client_ids_are_unique():
    ids = [client_id for _, _, services in OPERATORS for client_id, _ in services]
    assert len(set(ids)) == len(ids) == 3
