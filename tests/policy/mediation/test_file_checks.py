from relay.policy.mediation.file_checks import FileProblems, check_paging, check_response_codes
from relay.policy.mediation.mapping.expressions import Scope
from relay.policy.mediation.mapping.records import Record, RecordField
from relay.policy.mediation.settings import Expression, Paging
from relay.policy.mediation.telegram.codec import Kind


def test_response_codes_are_those_of_the_standard():
    file = FileProblems("a.yaml")
    check_response_codes("codes", {"1": "00000", "2": "empty", "3": "77777"}, file, {"00000": (200, "")})
    assert [problem.key for problem in file.problems] == ["codes.3"]


def test_paging_names_fields_of_the_response():
    rows = Record({"no": RecordField(Kind.ASCII, 700)}, {}, 50)
    scope = Scope(Record({"more": RecordField(Kind.ASCII, 1)}, {"rows": rows}))
    answer = {"list": Expression(rows="rows")}
    file = FileProblems("a.yaml")
    paging = Paging(list="list", key=("no", "x"), more={"no": ("Y",)}, rows=100)
    check_paging(paging, scope, ["list"], answer, ["limit"], file)
    assert [problem.key for problem in file.problems] == [
        "paging.key[1]", "paging.key", "paging.rows", "paging.more.no", "paging",
    ]  # fmt: skip
