"""Operations: parameters, bodies, answers, security."""


def get_parameters(operation):
    return {parameter["name"]: parameter for parameter in operation["parameters"]}


def test_a_get_has_header_and_query_parameters(operations):
    parameters = get_parameters(operations["bank-BA01"])
    assert list(parameters) == ["x-api-tran-id", "x-api-type", "org_code", "search_timestamp", "next_page", "limit"]
    assert parameters["org_code"]["example"] == "ZBAA000001"
    assert [name for name, parameter in parameters.items() if parameter["required"]] == [
        "x-api-tran-id",
        "x-api-type",
        "org_code",
        "limit",
    ]


def test_a_card_is_in_the_path(operations):
    assert get_parameters(operations["card-CD02"])["card_id"]["in"] == "path"


def test_a_post_has_a_json_body_with_its_example(operations):
    (media_type,) = operations["bank-BA04"]["requestBody"]["content"]
    content = operations["bank-BA04"]["requestBody"]["content"][media_type]
    assert media_type == "application/json; charset=UTF-8"
    assert content["schema"] == {"$ref": "#/components/schemas/BA04_Request"}
    assert content["examples"]["BA04"]["value"]["org_code"] == "ZBAA000001"


def test_token_apis_of_one_path_are_chosen_by_grant_type(operations):
    content = operations["AU02-AU03-AU11"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    assert content["schema"]["discriminator"]["mapping"] == {
        "authorization_code": "#/components/schemas/AU02_Request",
        "refresh_token": "#/components/schemas/AU03_Request",
        "password": "#/components/schemas/AU11_Request",
    }


def test_an_answer_may_say_that_nothing_changed(operations):
    schema = operations["bank-BA02"]["responses"]["200"]["content"]["application/json; charset=UTF-8"]["schema"]
    assert schema["anyOf"][1] == {"$ref": "#/components/schemas/UpToDate"}
    schema = operations["bank-BA04"]["responses"]["200"]["content"]["application/json; charset=UTF-8"]["schema"]
    assert schema == {"$ref": "#/components/schemas/BA04_Response"}


def test_a_data_call_has_every_error_status(operations):
    assert list(operations["bank-BA04"]["responses"]) == ["200", "400", "401", "403", "404", "405", "429", "500"]


def test_authorize_redirects(operations):
    responses = operations["AU01"]["responses"]
    assert list(responses) == ["302", "400", "405"]
    assert "access_denied" in responses["302"]["description"]


def test_calls_need_mutual_tls_and_a_token_with_their_scope(operations):
    assert operations["bank-BA04"]["security"] == [{"mutualTLS": [], "accessToken": ["bank.deposit"]}]
    assert operations["bank-CM01"]["security"] == [{"mutualTLS": []}]
    assert operations["S102"]["security"] == [{"mutualTLS": [], "supportToken": ["manage"]}]


def test_the_description_has_ids_scope_cycle_and_period(operations):
    text = operations["bank-BA04"]["description"]
    assert "**은행-004** (BA04)" in text
    assert "`bank.deposit`" in text
    assert "31일까지" in text
    assert "추후 제공" in operations["bank-PP01"]["description"]
