"""The parameters of the support APIs, read as every reader would read them."""

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
async def test_a_query_that_is_not_as_the_catalogue_has_it_is_40001(desk, query):
    assert await refused(await desk.get("/v1/mgmts/status", query))


def is_ambiguous(reply, field):
    said = f"표준 파라미터와 혼동될 수 있는 이름이 있습니다: {field}"
    return (reply.status, reply.body, reply.reason) == (
        400,
        {"rsp_code": "40001", "rsp_msg": said},
        "parameter_ambiguous",
    )


async def test_a_name_that_resembles_org_code_is_refused_in_a_query(desk, look_alikes):
    for name in look_alikes("org_code"):
        reply = await desk.get("/v1/mgmts/status", {"org_code": "ZBAA000001", name: "ZCDA000001"})
        assert is_ambiguous(reply, "org_code"), name


@pytest.mark.parametrize("field", ["org_code", "user_ci"])
async def test_a_name_that_resembles_a_field_is_refused_in_a_body(desk, look_alikes, field):
    for name in look_alikes(field):
        assert is_ambiguous(await desk.post({"org_code": "ZBAA000001", "user_ci": CI, name: "x"}), field), name


@pytest.mark.parametrize("field", ["org_type", "org_code", "type", "inquiry_date"])
async def test_a_name_that_resembles_a_field_sends_no_week_again(desk, look_alikes, field):
    for name in look_alikes(field):
        assert is_ambiguous(await desk.again(**{name: "0"}), field), name
    assert list(await desk.statistics.asked_again()) == []


async def test_a_field_nobody_knows_passes(desk):
    assert (await desk.get("/v1/mgmts/status", "org_code=ZBAA000001&more=x")).status == 200


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
async def test_a_body_that_is_not_as_the_catalogue_has_it_is_40001(desk, body):
    assert await refused(await desk.post(body))


async def test_a_code_of_digits_may_come_as_a_number(desk):
    reply = await desk.post({"org_code": 1234567890, "user_ci": CI})
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
async def test_a_body_that_is_not_said_to_be_json_is_40002(desk, headers):
    assert await refused(await desk.consents_of(**headers), "40002")


async def test_a_customer_in_the_query_is_refused(desk):
    headers = {"authorization": await desk.bearer(), "content_type": "application/json"}
    reply = await desk.send("POST", f"/v1/mgmts/consents?user_ci={CI}", b"{}", **headers)
    assert await refused(reply)
