"""The bank's specification and the layouts of the relay describe the same telegrams."""

from mydata_sandbox.telegram_core.messages import HEADER, LENGTH, LINE, MESSAGES

from relay.policy.mediation.telegram.plan import find_groups, get_size, iter_fields


def size_of(fields):
    return sum(form.length for form in fields.values())


def test_all_messages_have_a_layout_with_their_code(bank):
    codes = {conversion.code: conversion.api.api_id for conversion in bank.institution.conversions.values()}
    assert codes == {code: message.api_id for code, message in MESSAGES.items()}


def test_requests_have_the_length_of_their_layout(bank):
    for conversion in bank.institution.conversions.values():
        message = MESSAGES[conversion.code]
        assert get_size(conversion.request.parts) == LENGTH + size_of(HEADER) + size_of(message.request), (
            conversion.code
        )


def test_rows_have_the_length_of_their_layout(bank):
    for conversion in bank.institution.conversions.values():
        rows = MESSAGES[conversion.code].rows
        groups = list(find_groups(conversion.response.parts).values())
        assert len(groups) == (rows is not None)
        if rows is not None:
            own = size_of(rows.fields) + (rows.inner.count.length if rows.inner else 0)
            assert sum(field.codec.length for field in iter_fields(groups[0].parts)) == own, conversion.code


def test_line_management_has_the_length_of_its_layout(bank):
    assert get_size(bank.institution.link.line.parts) == LENGTH + size_of(HEADER) + size_of(LINE)
