"""The Postman collection."""

import json

import pytest

from relay.policy.documents.postman import FORMAT, build_postman
from relay.policy.documents.source import GROUPS


@pytest.fixture(scope="module")
def collection(source):
    return build_postman(source)


@pytest.fixture(scope="module")
def items(collection):
    return {item["name"].split()[0]: item for folder in collection["item"] for item in folder["item"]}


def test_every_group_has_a_folder_with_its_apis(source, collection):
    counts = [len(folder["item"]) for folder in collection["item"]]
    assert counts == [len(source.list_apis(group)) for group in GROUPS]
    assert collection["info"]["schema"] == FORMAT


def test_a_get_has_its_parameters_in_the_url(items):
    url = items["BA01"]["request"]["url"]
    assert url["raw"] == "{{relay}}/v1/bank/accounts?org_code=ZBAA000001&search_timestamp=0&limit=2"
    assert [row["key"] for row in url["query"] if row.get("disabled")] == ["next_page"]


def test_a_card_is_a_path_variable(items):
    url = items["CD02"]["request"]["url"]
    assert url["path"][-1] == ":card_id"
    assert url["variable"][0]["value"]


def test_a_post_has_a_json_body(items):
    request = items["BA04"]["request"]
    assert json.loads(request["body"]["raw"])["org_code"] == "ZBAA000001"
    assert {"key": "Content-Type", "value": "application/json; charset=UTF-8"} in request["header"]
    assert request["auth"]["bearer"][0]["value"] == "{{access_token}}"


def test_a_token_request_is_a_form_without_a_token(items):
    request = items["AU02"]["request"]
    assert request["body"]["mode"] == "urlencoded"
    assert request["auth"] == {"type": "noauth"}


def test_apis_of_the_portal_are_called_at_the_portal(items):
    assert items["S002"]["request"]["url"]["raw"].startswith("{{portal}}/v1/mgmts/orgs")


def test_every_request_gets_a_new_tran_id(collection, items):
    assert collection["event"][0]["listen"] == "prerequest"
    assert {"key": "x-api-tran-id", "value": "{{tran_id}}"} in items["BA01"]["request"]["header"]


def test_an_answer_is_saved_as_an_example(items):
    assert json.loads(items["BA01"]["response"][0]["body"])["rsp_code"] == "00000"
    assert items["AU01"]["response"] == []
