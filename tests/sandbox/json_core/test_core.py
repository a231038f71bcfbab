"""The core answers as an institution of the standard does: each policy and loan of each customer, all pages."""

from decimal import Decimal

import pytest
from mydata_sandbox.checks.conformance import find_violations
from mydata_sandbox.json_core.core import CoreRequest
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

from relay.standard.catalogue import load_catalogue

APIS = {api.api_code: api for api in load_catalogue().iter_apis("insu")}
OF_PAGES = {"next_page", "rsp_msg", "search_timestamp", ""}
FIRST = get_ci(CUSTOMERS[0])


def read_pages(ask, api_code, ci, parameters):
    """Returns the body of all pages, with the rows of all of them in the first list."""
    rows_name = next((field.name for field in APIS[api_code].response.body if field.type == "array"), "")
    body, cursor = {rows_name: []}, {}
    while True:
        status, page = ask(api_code, ci, **parameters, **cursor)
        assert status == 200, page
        assert find_violations(APIS[api_code], page) == []
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


def list_calls(insurer, ci):
    """Returns API and parameters of each call about each policy and loan of a customer."""
    ask = insurer.ask_standard
    calls = [("IS01", {}), ("IS11", {})]
    for row in read_pages(ask, "IS01", ci, {})["insu_list"]:
        policy = {"insu_num": row["insu_num"]}
        calls += [(code, policy) for code in ("IS02", "IS05", "IS06", "IS08")]
        persons = read_pages(ask, "IS02", ci, policy)["insured_list"]
        calls += [("IS03", policy | {"insured_no": person["insured_no"]}) for person in persons]
        if row["insu_type"] == "17":
            car = read_pages(ask, "IS04", ci, policy)["car_insu_list"][0]["car_number"]
            calls += [("IS04", policy), ("IS07", policy | {"car_number": car})]
    for row in read_pages(ask, "IS11", ci, {})["loan_list"]:
        calls += [(code, {"account_num": row["account_num"]}) for code in ("IS12", "IS13", "IS14")]
    return calls


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: str(customer.number))
def test_all_answers_are_those_of_a_standard_institution(insurer, customer):
    ci = get_ci(customer)
    for api_code, parameters in list_calls(insurer, ci):
        own = read_pages(insurer.ask_core, api_code, ci, parameters)
        assert normalize(own) == normalize(read_pages(insurer.ask_standard, api_code, ci, parameters)), api_code


def test_all_apis_of_insurers_are_called(insurer):
    called = {code for customer in CUSTOMERS for code, _ in list_calls(insurer, get_ci(customer))}
    assert called == set(insurer.institution.conversions)


def test_lists_take_several_requests(insurer):
    insurer.ask_core("IS01", FIRST)
    assert [request.target.partition("?")[2] for request in insurer.requests][:2] == ["page=1&size=3", "page=2&size=3"]
    assert len(insurer.requests) > 1


@pytest.mark.parametrize(
    ("ci", "policy", "rsp_code"), [(FIRST, "L99", "40402"), ("nobody", "L01201506220001", "40403")]
)
def test_policies_of_others_are_not_found(insurer, ci, policy, rsp_code):
    status, body = insurer.ask_core("IS02", ci, insu_num=policy)
    assert (status, body["rsp_code"]) == (404, rsp_code)


def test_an_unknown_path_is_not_found(insurer):
    response = insurer.core.respond(CoreRequest("GET", "/core/v2/other", headers={"x-customer-ci": FIRST}))
    assert (response.status, response.body["result"]["code"]) == (404, "E9999")
