"""The core answers as an institution of the standard does: each account of each customer, all pages."""

from decimal import Decimal

import pytest
from mydata_sandbox.checks.conformance import find_violations
from mydata_sandbox.parties import MEDIATED
from mydata_sandbox.telegram_core.messages import MESSAGES
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

from relay.standard.catalogue import load_catalogue

BANK = MEDIATED["savings_bank"]
CATALOGUE = load_catalogue()
KINDS = {"1": ("BA02", "BA03", "BA04"), "2": ("BA11", "BA12", "BA13"), "3": ("BA21", "BA22", "BA23")}
OF_PAGES = {"next_page", "rsp_msg", "search_timestamp", ""}
APIS = {api.api_code: api for api in CATALOGUE.iter_apis("bank")}
FIRST = get_ci(CUSTOMERS[0])


def read_pages(ask, api_code, ci, parameters):
    """Returns the body of all pages, with the rows of all of them in the first list."""
    rows_name = next((field.name for field in APIS[api_code].response.body if field.type == "array"), "")
    body, cursor = {rows_name: []}, {}
    while True:
        status, page = ask(api_code, ci, **parameters, **cursor)
        assert status == 200, page
        rows = body[rows_name] + page.get(rows_name, [])
        body = {**page, **body, rows_name: rows}
        if "next_page" not in page:
            return body
        cursor = {"next_page": page["next_page"]}


def normalize(value):
    """Returns a body without what belongs to pages, and with numbers in one form."""
    if isinstance(value, dict):
        members = {name: normalize(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if name not in OF_PAGES and name[-4:] != "_cnt"}
    if isinstance(value, list):
        return [normalize(member) for member in value]
    return str(Decimal(value).normalize()) if value.replace(".", "").lstrip("-").isdigit() else value


def list_calls(bank, ci):
    """Returns API and parameters of each call about each account of a customer."""
    calls = [("BA01", {})]
    for row in read_pages(bank.ask_standard, "BA01", ci, {})["account_list"]:
        account = {name: row[name] for name in ("account_num", "seqno") if name in row}
        codes = KINDS[row["account_type"][0]] + (("BA21", "BA22") if row.get("is_minus") == "true" else ())
        calls += [(code, account) for code in codes]
    return calls


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: str(customer.number))
def test_all_answers_are_those_of_a_standard_institution(bank, customer):
    ci, called = get_ci(customer), set()
    for api_code, parameters in list_calls(bank, ci):
        own = read_pages(bank.ask_core, api_code, ci, parameters)
        assert normalize(own) == normalize(read_pages(bank.ask_standard, api_code, ci, parameters)), api_code
        called.add(api_code)
    assert called == {code for codes in KINDS.values() for code in codes} | {"BA01"}


@pytest.mark.parametrize("api_code", [CATALOGUE.apis[message.api_id].api_code for message in MESSAGES.values()])
def test_answers_keep_to_the_catalogue(bank, api_code):
    parameters = next(values for code, values in list_calls(bank, FIRST) if code == api_code)
    status, body = bank.ask_core(api_code, FIRST, **parameters)
    assert (status, find_violations(APIS[api_code], body)) == (200, [])


def test_a_long_list_takes_several_telegrams(bank):
    _, body = bank.ask_core("BA01", FIRST)
    assert (len(body["account_list"]), len(bank.requests)) == (11, 2)


@pytest.mark.parametrize(
    ("ci", "account", "rsp_code"),
    [
        (FIRST, "9999999999999", "40402"),
        (get_ci(CUSTOMERS[1]), "2001200921014", "40402"),
        ("nobody", "2001200921014", "40403"),
    ],
)
def test_accounts_of_others_are_not_found(bank, ci, account, rsp_code):
    status, body = bank.ask_core("BA12", ci, account_num=account)
    assert (status, body["rsp_code"]) == (404, rsp_code)


def test_unknown_telegrams_are_refused_with_a_code(bank):
    request = b"0060NOSUCH0200097" + BANK.org_code.encode() + b"0000000001" + b"20261130090000" + b" " * 9
    response = bank.core.respond(request)
    assert (response[10:14], response[51:54]) == (b"0210", b"900")
    assert bank.core.respond(request[:10] + b"0210" + request[14:]) is None


def test_line_management_is_answered(bank):
    link = bank.institution.link
    context = {"unique_number": "7", "now": "20261130090000", "org_code": BANK.org_code}
    for action in ("start", "test", "end"):
        header = link.read_header(bank.core.respond(link.encode_line_request(action, context)))
        assert (header.line, header.is_answer) == (action, True)
    assert link.read_header(bank.core.open_line_test(1)).line == "test"
