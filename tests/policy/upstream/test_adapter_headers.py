from relay.domain.fault import FAULTS, Refusal
from relay.policy.settings.directory import Provider
from relay.policy.upstream.adapter_headers import build_fault_headers, list_base_urls, read_fault

BANK = {"org_code": "ZBAA000001", "name": "Bank", "industry": "bank"}


def test_an_institution_that_needs_the_adapter_has_its_address_there():
    adapted = {"speaks": "telegram", "link": "leased_line", "core": {"addresses": ["core:1"]}}
    assert list_base_urls(Provider.model_validate(BANK | adapted)) == ("http://adapter/ZBAA000001",)
    urls = ["https://a.example", "https://b.example"]
    assert list_base_urls(Provider.model_validate(BANK | {"base_urls": urls, "ca": "a"})) == tuple(urls)


def read(refusal):
    headers = build_fault_headers(refusal)
    return read_fault({name.encode(): value.encode("ascii") for name, value in headers.items()})


def test_a_fault_and_its_detail_pass_as_they_are():
    refusal = Refusal(FAULTS["conversion_failed"], "BA04 response: offset 187: 거래[0].금액: expected 15 digits")
    assert read(refusal) == (refusal.fault, refusal.detail)


def test_a_detail_is_short_and_safe_in_a_record():
    refusal = Refusal(FAULTS["conversion_failed"], 'a "quoted" \\ line\r\nx-a: b' + "가" * 1000)
    _, detail = read(refusal)
    assert detail.startswith("a 'quoted' / line  x-a: b가")
    assert len(detail) == 200


def test_a_fault_without_detail_has_none():
    assert read(Refusal(FAULTS["provider_silent"])) == (FAULTS["provider_silent"], "")


def test_an_unknown_fault_is_one_of_the_relay():
    assert read_fault({b"x-relay-fault": b"unheard"})[0] is FAULTS["relay_broken"]
