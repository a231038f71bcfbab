"""Parameters of the support APIs are read unambiguously."""

import pytest

CI = "A" * 86 + "=="


async def refused(reply, rsp_code="40001"):
    return (reply.status, reply.body["rsp_code"]) == (400, rsp_code)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "org_code=",
        "org_code=ZBAA000001&org_code=ZCDA000001",
        "org_code=ZBAA000001&%6frg_code=ZCDA000001",
        "org_code=ZBAA0000012",
        "org_code=ZBAA-00001",
        "org_code=%FF%FE",
        "ORG_CODE=ZBAA000001",
    ],
)
async def test_an_invalid_query_is_40001(support_client, query):
    assert await refused(await support_client.get("/v1/mgmts/status", query))


def is_ambiguous(reply, field):
    message = f"표준 파라미터와 혼동될 수 있는 이름이 있습니다: {field}"
    return (reply.status, reply.body, reply.reason) == (
        400,
        {"rsp_code": "40001", "rsp_msg": message},
        "parameter_ambiguous",
    )


async def test_a_name_that_resembles_org_code_is_refused_in_a_query(support_client, look_alikes):
    for name in look_alikes("org_code"):
        reply = await support_client.get("/v1/mgmts/status", {"org_code": "ZBAA000001", name: "ZCDA000001"})
        assert is_ambiguous(reply, "org_code"), name


@pytest.mark.parametrize("field", ["org_code", "user_ci"])
async def test_a_name_that_resembles_a_field_is_refused_in_a_body(support_client, look_alikes, field):
    for name in look_alikes(field):
        assert is_ambiguous(await support_client.post({"org_code": "ZBAA000001", "user_ci": CI, name: "x"}), field), (
            name
        )


@pytest.mark.parametrize("field", ["org_type", "org_code", "type", "inquiry_date"])
async def test_an_ambiguous_field_name_requests_no_week(support_client, look_alikes, field):
    for name in look_alikes(field):
        assert is_ambiguous(await support_client.again(**{name: "0"}), field), name
    assert list(await support_client.statistics.requested_sendings()) == []


async def test_an_unknown_field_is_ignored(support_client):
    assert (await support_client.get("/v1/mgmts/status", "org_code=ZBAA000001&more=x")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"x",
        b'{"org_code":"ZBAA000001"}',
        b'{"user_ci":"QUJD"}',
        b'{"org_code":"ZBAA000001","user_ci":""}',
        b'{"org_code":"ZBAA000001","user_ci":null}',
        b'{"org_code":"ZBAA000001","user_ci":["QUJD"]}',
        b'{"org_code":"ZBAA000001","user_ci":"QUJD","user_ci":"QUJE"}',
        b'{"org_code":"ZBAA000001","user_ci":"QU JD"}',
        b'{"org_code":"ZBAA000001","user_ci":"%b"}' % (b"A" * 101),
        b'{"org_code":"ZBAA000001","user_ci":"QUJD"} {}',
        b'{"org_code":"ZBAA000001","user_ci":"\xff"}',
    ],
)
async def test_an_invalid_body_is_40001(support_client, body):
    assert await refused(await support_client.post(body))


async def test_digits_may_be_a_number(support_client):
    reply = await support_client.post({"org_code": 1234567890, "user_ci": CI})
    assert reply.body["rsp_code"] == "40303"


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": None},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/json; charset=EUC-KR"},
        {"content_type": "\xe9"},
        {"content_encoding": "gzip"},
    ],
)
async def test_a_body_that_is_not_json_is_40002(support_client, headers):
    assert await refused(await support_client.consents_of(**headers), "40002")


async def test_a_customer_in_the_query_is_refused(support_client):
    headers = {"authorization": await support_client.bearer(), "content_type": "application/json"}
    reply = await support_client.send("POST", f"/v1/mgmts/consents?user_ci={CI}", b"{}", **headers)
    assert await refused(reply)
