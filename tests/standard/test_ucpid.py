"""The structures against handwritten bytes that follow a public sample of PersonInfoReq."""

import pytest

from relay.standard.ucpid import IspReqInfo, PersonInfo, PersonInfoReq, UcpidRequest, UcpidResponse

NONCE = bytes(range(16))
BY_HAND = bytes.fromhex(
    "3053"  # SEQUENCE
    "020102"  # version 2
    "0410000102030405060708090a0b0c0d0e0f"  # nonce
    "3012"  # agreement
    "0c0c" + "동의합니".encode().hex() + "030203f8"  # text; five flags
    "3018"  # module
    "0c016d0c0176"  # name, vendor
    "3010020101020103a003020100a103020100"  # version 1.3, build and revision tagged
    "0c0e" + b"www.mydata.com".hex()
)


def test_a_person_info_req_written_by_hand_is_read():
    decoded = PersonInfoReq.load(BY_HAND, strict=True).native
    assert (decoded["version"], decoded["nonce"], decoded["isp_url"]) == (2, NONCE, "www.mydata.com")
    assert decoded["agreement"]["information"] == {"real_name", "gender", "national_info", "birth_date", "ci"}
    assert decoded["module"]["version"] == {"major": 1, "minor": 3, "build": 0, "revision": 0}


def test_encoding_restores_the_decoded_bytes():
    assert PersonInfoReq(PersonInfoReq.load(BY_HAND).native).dump() == BY_HAND


def test_a_version_without_build_and_revision_is_valid():
    short = BY_HAND.replace(bytes.fromhex("3010020101020103a003020100a103020100"), bytes.fromhex("3006020101020103"))
    short = short.replace(b"\x30\x18\x0c", b"\x30\x0e\x0c").replace(b"\x30\x53\x02", b"\x30\x49\x02")
    assert PersonInfoReq.load(short, strict=True).native["module"]["version"]["build"] is None


@pytest.mark.parametrize("structure", [PersonInfoReq, IspReqInfo, UcpidRequest, UcpidResponse, PersonInfo])
def test_every_message_begins_with_its_version(structure):
    assert structure._fields[0][0] == "version"


@pytest.mark.parametrize(
    ("flag", "name"), list(enumerate(("real_name", "gender", "national_info", "birth_date", "ci")))
)
def test_each_bit_has_one_name(flag, name):
    bits = bytes([0x80 >> flag])
    changed = BY_HAND.replace(bytes.fromhex("030203f8"), b"\x03\x02\x03" + bits)
    assert PersonInfoReq.load(changed).native["agreement"]["information"] == {name}
