import gc

import pytest

IS02, IS06, IS07 = "IS02.yaml", "IS06.yaml", "IS07.yaml"


def put(section, path, value):
    """Sets a value at a dotted path; `...` removes it."""
    *keys, last = path.split(".")
    for key in keys:
        section = section[int(key) if key.isdigit() else key]
    if value is ...:
        del section[last]
    else:
        section[int(last) if last.isdigit() else last] = value


def test_the_example_has_all_apis_of_its_industry(institution):
    assert len(institution.conversions) == 12
    assert {conversion.paging.by for conversion in institution.conversions.values() if conversion.paging} == {
        "page", "offset", "key",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "path", "value", "problem"),
    [
        ("link", "forms", {"date": "hh:mm"}, "link.yaml: forms.date: is no form of a date"),
        ("link", "headers", ["Host an = a"], "link.yaml: headers[0]: is the header Host, which the relay writes"),
        ("link", "headers", ["X_A an = a"], "link.yaml: headers[0]: is the header X_A"),
        ("link", "headers", ["X-A an = $nothing"], "link.yaml: headers[0]: has the unknown value $nothing"),
        ("link", "headers.1", "X-Channel n(12) = $unique_number", "headers[0]: is the header X-Channel, which is sent"),
        ("link", "headers", ["a an at x.y = a"], "link.yaml: headers[0]"),
        (
            IS02,
            "request.headers",
            ["x-channel an = B"],
            "request.headers[0]: is the header x-channel, which is sent al",
        ),
        (
            IS02,
            "response.fields.8",
            {"name": "currency", "type": "an", "length": 3, "default": "KRW"},
            "IS02.yaml: response.fields[8]: translates a value of a response",
        ),
        ("link", "path", "/a/../b", "link.yaml: path: is not a path with values"),
        ("link", "header.0", "other an(3)", "link.yaml: response_code.field: names resultCode, which header does not"),
        ("link", "response_code.codes", {"OK": "77777"}, "response_code.codes.OK: is no rsp_code of the standard"),
        ("link", "response_code.codes", {"E1": "40402"}, "link.yaml: response_code.codes: has no success"),
        ("link", "response_code.statuses", {"404": "77777"}, "response_code.statuses.404: is no rsp_code"),
        ("link", "response_code.field", ..., "response_code.field: is missing, but codes is set"),
        ("link", "response_code.absent", "77777", "response_code.absent: is no rsp_code of the standard"),
        ("link", "response_code.field", ["resultCode", "x"], "response_code.field: names x, which header does not"),
        ("link", "response_code", {"absent": "00000"}, "response_code.field: is missing, but absent is set"),
        ("link", "header", [{"list": "a", "fields": ["b an(1)"]}], "link.yaml: header: has a list"),
        (IS02, "api", "BA04", "IS02.yaml: api: is no API of the industry insu; expected: one of"),
        (IS02, "api", "IS01", "IS02.yaml: api: is also that of IS01.yaml"),
        (
            IS02,
            "request",
            {"path": "/policies", "query": [{"name": "no", "type": "an", "value": "$insu_num", "default": "1"}]},
            "IS02.yaml: request: does not name the asset of the call, insu_num",
        ),
        (IS02, "request.path", "/policies", "IS02.yaml: request: does not name the asset of the call, insu_num"),
        (IS02, "request.path", "/policies/{insu_num}", "IS02.yaml: request.path: is not a path with values"),
        (IS02, "request.path", "/policies/{$nothing}", "IS02.yaml: request.path: has the unknown value $nothing"),
        (IS02, "request.query", ["a an(1)"], "IS02.yaml: request.query[0]: has no value: a is no parameter"),
        (IS02, "request.fields", ["a an(1) = b"], "IS02.yaml: request.fields: is set, but method is GET"),
        (
            IS07,
            "request.fields.0",
            "insu_num an(20) at period",
            "IS07.yaml: request.fields[0]: is at period, as another",
        ),
        (IS02, "request.query", [{"list": "a", "fields": ["b an(1)"]}], "IS02.yaml: request.query[0]: is a list"),
        (IS02, "response.fields.6", "other date", "IS02.yaml: answer.exp_date: names expiryDate, which the response"),
        (IS02, "answer.exp_date", ..., "IS02.yaml: answer.exp_date: has no source for the required field exp_date"),
        (IS02, "answer.exp", "= 1", "IS02.yaml: answer.exp: is unknown in the standard"),
        (IS02, "response.fields.7", "sumInsured decimal(20,3)", "answer.face_amt: has up to 17 digits and 3 decimals"),
        (IS02, "response.fields.7", "sumInsured ah(9)", "IS02.yaml: answer.face_amt: is text"),
        (IS02, "response.fields.8", "currency an(4)", "answer.currency_code: has up to 4 bytes, longer than A(3)"),
        (IS02, "response.fields.1", "renewable date", "IS02.yaml: answer.is_renewable: is a date for a Boolean"),
        (IS02, "answer.pension_rcv_cycle", {"field": "pensionMonths", "codes": {"1": "9M"}}, "has the value 9M, which"),
        (
            IS02,
            "response.fields.0",
            "resultCode an(20) = x",
            "response.fields[0]: repeats the name resultCode of header",
        ),
        (IS06, "request.query.2", "offset n = 0", "IS06.yaml: paging: is by offset, but the request has no $offset"),
        (IS06, "paging.more", {"nothing": "1"}, "IS06.yaml: paging.more.nothing: is no field of the response"),
        (
            IS06,
            "request.query.2",
            "offset n = $page",
            "IS06.yaml: paging: is by offset, but the request has no $offset",
        ),
        (
            IS06,
            "paging.more",
            {"hasMore": ["Y"]},
            "paging.more.hasMore: has a value that the field never has; expected",
        ),
        (
            IS02,
            "answer.is_renewable",
            {"field": "renewable", "codes": {"Y": "true"}},
            "is_renewable.codes: has a value",
        ),
        (IS02, "answer.exp_date", {"field": "expiryDate", "when": {"renewable": ["Y"]}}, "when.renewable: has a value"),
        ("IS01.yaml", "request.query.1", "size n = 100", "IS01.yaml: paging: is without $rows in the request: the end"),
        ("IS01.yaml", "paging.fixed", True, "IS01.yaml: paging.fixed: is set, but the request has $rows"),
        (
            IS02,
            "response.fields.8",
            "currency an(3) at flags",
            "fields[8]: is at data.policy.flags, where an object or",
        ),
        (
            IS02,
            "response.fields.8",
            "currency an(3) at persons",
            "fields[8]: is at data.policy.persons, where an object",
        ),
        (IS06, "paging.list", "nothing", "IS06.yaml: paging.list: is no list of the answer"),
        (IS06, "paging.rows", 300, "IS06.yaml: paging.rows: is more than the list can have; expected: at most 200"),
        (IS07, "paging.key", ["nothing"], "IS07.yaml: paging.key[0]: names nothing, which the response does not have"),
        (IS07, "response.fields.2", "nextCursor an", "IS07.yaml: paging.key: is too long for next_page"),
        ("IS01.yaml", "paging.total", "nothing", "IS01.yaml: paging.total: names nothing, which the response"),
        ("IS01.yaml", "response_codes", {"E1": "12345"}, "IS01.yaml: response_codes.E1: is no rsp_code"),
        (IS02, "paging", {"list": "insured_list", "by": "offset"}, "paging: is set, but the API has no pages"),
    ],
)
def test_a_wrong_file_is_a_problem_of_its_key(files, file, path, value, problem):
    put(files.link if file == "link" else files.messages[file], path, value)
    institution, problems = files.compile()
    assert institution is None
    assert [text for text in problems if problem in text], problems


def test_problems_of_all_files_are_reported_at_once(files):
    put(files.link, "forms", {"date": "hh"})
    put(files.messages[IS02], "answer.exp_date", ...)
    put(files.messages[IS07], "paging.key", ["nothing"])
    _, problems = files.compile()
    assert {problem.partition(":")[0] for problem in problems} == {"link.yaml", IS02, IS07}


def test_a_request_without_customer_is_a_problem(files):
    files.link["headers"].pop()
    _, problems = files.compile()
    assert [problem.partition(", user_ci")[0] for problem in problems] == [
        f"{file}: request: does not name the customer of the call" for file in files.messages
    ]
    files.link["customer"] = "unchecked"
    assert files.compile()[1] == []


def test_an_offered_api_needs_a_file(files):
    assert files.compile(offered=["IS01", "IR01"])[1] == [
        "link.yaml: has no file for IR01, which the institution offers; expected: a file with api: IR01"
    ]


def test_replaced_files_leave_no_reference_cycle(files):
    """Large states are frozen for the collector: a cycle would never be freed."""
    files.compile()
    gc.collect()
    gc.disable()
    try:
        institution, _ = files.compile()
        gc.collect()  # what pydantic leaves
        assert institution is not None
        del institution
        assert gc.collect() == 0
    finally:
        gc.enable()
