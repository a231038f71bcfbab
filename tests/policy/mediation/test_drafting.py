from hypothesis import given
from hypothesis import strategies as st

from relay.policy.mediation.drafting import draft_fields
from relay.policy.mediation.inspection import decode_message


def test_a_draft_has_the_types_that_bytes_show():
    telegram = b"0210A004ZBAC000001" + b"20260131101112" + b"     " + "정상 처리".encode("euc-kr") + b"   "
    telegram += b"20260131KRW" + b"\x00\x12\x3c" + b"\x00\x00"
    assert draft_fields(telegram, "EUC-KR") == [
        "f0000 n(4)",
        "f0004 an(1)",
        "f0005 n(3)",
        "f0008 an(4)",
        "f0012 n(6)",
        "f0018 datetime(14)",
        "filler(5)",
        "f0037 ah(12)",
        "f0049 date(8)",
        "f0057 an(3)",
        "f0060 packed(3)",
        "filler(2)",
    ]


def test_a_draft_of_the_example_decodes_its_telegram(core, plan_of):
    bank = core("BA22", {"account_num": "110200300400", "search_timestamp": "0"})
    telegram = bank.respond({"resp_msg": "정상", "balance_amt": "9500000", "loan_principal": "10000000"})
    values = decode_message("draft", plan_of(draft_fields(telegram, "EUC-KR")), telegram)
    assert {"정상", "110200300400", "9500000", "10000000"} <= set(values.values())


@given(st.lists(st.binary(max_size=12) | st.text("0129 AZ한글").map(lambda text: text.encode("euc-kr")), max_size=6),
       st.sampled_from(["EUC-KR", "CP949", "UTF-8"]))  # fmt: skip
def test_a_draft_decodes_any_telegram(plan_of, parts, charset):
    telegram = b"".join(parts)
    decode_message("draft", plan_of(draft_fields(telegram, charset), charset), telegram)
