from relay.policy.mediation.inspection import LayoutRow, decode_message, describe_layout, encode_response, mask_values


def test_a_layout_is_a_table_with_offsets(institution):
    rows = describe_layout(institution.conversions["BA23"].response)
    assert rows[0] == LayoutRow(0, 0, 6, "length", "n", "$length")
    assert [row for row in rows if row.type == "list"] == [
        LayoutRow(0, 145, 0, "trans_list", "list", note="as many rows as row_count, at most 50, of different sizes"),
        LayoutRow(1, 79, 0, "interests", "list", note="as many rows as int_count, at most 5, 36 bytes each"),
    ]
    assert rows[-2] == LayoutRow(2, 21, 13, "applied_int_amt", "amount")


def test_optional_parts_and_fixed_lists_are_marked(institution):
    rows = describe_layout(institution.conversions["BA12"].response)
    assert rows[-1] == LayoutRow(0, 170, 19, "fund_num", "decimal(19,3)", note="optional")
    rows = describe_layout(institution.conversions["BA02"].response)
    assert [row.note for row in rows if row.type == "list"] == ["4 rows, 49 bytes each"]


def test_masked_values_show_their_form_alone():
    values = {"account": "110-200 Ab", "name": "홍길동", "rows": [{"amount": "-12.50"}], "none": ""}
    assert mask_values(values) == {
        "account": "999-999 xx",
        "name": "가가가",
        "rows": [{"amount": "-99.99"}],
        "none": "",
    }


def test_a_telegram_is_decoded_and_encoded_again(core):
    bank = core("BA03", {"account_num": "110", "search_timestamp": "0"})
    telegram = bank.respond({"balances": [{"currency": "KRW", "balance": "-1.25", "available": "2", "rate": "3"}]})
    values = decode_message("BA03 response", bank.conversion.response, telegram)
    assert values["balances"] == [{"currency": "KRW", "balance": "-1.25", "available": "2", "rate": "3", "paid_in": ""}]
    assert encode_response(bank.conversion, values, bank.context()) == telegram
