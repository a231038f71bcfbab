"""Rows follow the catalogue, for each kind of institution (규격 7장)."""

import pytest
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.portal.rows import Service, build_certifier_row, build_org_row, build_service_row, group_by_operator

from relay.domain.registry import Organisation, OrgType
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
ANSWER = {"rsp_code": "00000", "rsp_msg": "성공", "search_timestamp": "20261122000000", "org_cnt": "1"}
MEMBER = {"relay": "ZRLA000001", "industry": "bank", "slots": ("0000:1200", "1200:2400")}
OWN = {"industry": "card", "domain": "127.0.0.1:9443"}
WITHOUT_DOMAIN = {"domain", "domain_ip_cnt", "domain_ip_list"}
SERVICE = Service("SVC01", "ZOPA000001", "모아보기", "s3cret", ("https://127.0.0.1/cb",), ("moabogi", "moa"))


def organisation(kind):
    more = {OrgType.THROUGH_RELAY: MEMBER, OrgType.OWN_API: OWN}.get(kind, {"domain": "127.0.0.1:9443"})
    if kind is OrgType.IDENTITY_CERTIFIER:
        more |= {"cert_issuer_dn": "cn=SandboxCA", "cert_oid": "1.2.410.1_1.2.410.2"}
    return Organisation("ZZZZ000001", kind, "가상기관", "999-81-00001", ("127.0.0.1", "::1"), **more)


@pytest.mark.parametrize("op_type", ["I", "M", "D"])
@pytest.mark.parametrize("kind", OrgType)
def test_rows_of_all_kinds_follow_the_catalogue(kind, op_type):
    row = build_org_row(organisation(kind), op_type)
    assert find_strict_violations(APIS["지원-002"], ANSWER | {"org_list": [row]}) == []


@pytest.mark.parametrize("kind", [OrgType.OWN_API, OrgType.THROUGH_RELAY, OrgType.OPERATOR, OrgType.RELAY])
def test_rows_for_certifiers_follow_the_catalogue(kind):
    for op_type in "IMD":
        row = build_certifier_row(organisation(kind), op_type)
        assert find_strict_violations(APIS["지원-006"], ANSWER | {"org_list": [row]}) == []


@pytest.mark.parametrize(
    ("kind", "has", "has_not"),
    [
        (OrgType.OWN_API, {"domain", "industry", "auth_type", "np_time_cnt", "is_rcv_org"}, {"relay_org_code"}),
        (OrgType.THROUGH_RELAY, {"relay_org_code", "serial_num", "np_time_list", "industry"}, WITHOUT_DOMAIN),
        (OrgType.OPERATOR, {"serial_num", "ip_list"}, {"industry", "auth_type", "np_time_cnt", "is_rcv_org"}),
        (OrgType.RELAY, {"serial_num", "domain_ip_list"}, {"is_rcv_org", "cert_oid"}),
        (OrgType.IDENTITY_CERTIFIER, {"cert_issuer_dn", "cert_oid"}, {"serial_num"}),
        (OrgType.SIGNATURE_CERTIFIER, {"serial_num"}, {"cert_issuer_dn"}),
        (OrgType.PORTAL, {"serial_num"}, {"is_rcv_org"}),
        (OrgType.OTHER, {"is_rcv_org"}, {"industry"}),
    ],
)
def test_conditional_fields_follow_their_conditions(kind, has, has_not):
    row = build_org_row(organisation(kind), "I")
    assert has <= row.keys()
    assert not has_not & row.keys()


def test_a_deleted_institution_has_only_code_and_type():
    row = build_org_row(organisation(OrgType.OPERATOR), "D")
    assert row == {"op_type": "D", "org_code": "ZZZZ000001", "org_type": "03"}


@pytest.mark.parametrize("op_type", ["I", "M", "D"])
def test_rows_of_services_follow_the_catalogue(op_type):
    rows = group_by_operator([("ZOPA000001", build_service_row(SERVICE, op_type))])
    assert find_strict_violations(APIS["지원-003"], ANSWER | {"org_list": rows}) == []
    assert ("client_secret" in rows[0]["service_list"][0]) == (op_type != "D")


def test_a_secret_is_not_printed():
    assert "s3cret" not in repr(SERVICE)
