import pytest

from relay.policy.mediation.mapping.answers import OWN_FIELDS, compile_answer
from relay.policy.mediation.mapping.expressions import Scope
from relay.policy.mediation.mapping.records import describe_record
from relay.policy.mediation.settings import Expression
from relay.standard.catalogue import load_catalogue


@pytest.fixture
def compile_api(plan_of):
    def compile_one(api_id, lines, expressions=None):
        problems = []
        scope = Scope(describe_record(plan_of(lines).parts))
        output = compile_answer(load_catalogue().apis[api_id], expressions or {}, scope, problems)
        return output, [(problem.key, problem.wrong) for problem in problems]

    return compile_one


def test_fields_of_the_same_name_are_sources(compile_api):
    output, problems = compile_api("은행-009", ["balance_amt amount(15)", "loan_principal amount(15)", "other an(3)"])
    assert problems == []
    assert [(field.name, field.is_required) for field in output.fields] == [
        ("balance_amt", True),
        ("loan_principal", True),
    ]


def test_the_relay_writes_its_own_fields_itself(compile_api):
    _, problems = compile_api("은행-009", ["balance_amt amount(15)", "loan_principal amount(15)"])
    assert not [key for key, _ in problems if key.rpartition(".")[2] in OWN_FIELDS]


def test_the_count_of_a_list_is_that_of_its_rows(compile_api):
    row = ["trans_dtime datetime", "trans_type n(2)", "trans_amt amount(15)", "balance_amt amount(15)"]
    output, problems = compile_api("은행-007", ["n n(2)", {"list": "trans_list", "count": "n", "fields": row}])
    assert problems == []
    assert [(entry.name, entry.count, entry.is_required) for entry in output.lists] == [
        ("trans_list", "trans_cnt", True)
    ]


def test_the_message_may_be_the_only_row_of_a_list(compile_api):
    lines = ["balance_amt amount(15)", "withdrawable_amt amount(15)", "offered_rate amount(7,5)"]
    output, problems = compile_api("은행-003", lines, {"detail_list": Expression(rows="message")})
    assert problems == []
    assert output.lists[0].rows == "message"


def test_every_required_field_without_source_is_a_problem(compile_api):
    _, problems = compile_api("은행-010", ["n n(2)", {"list": "trans_list", "count": "n", "fields": ["a an(1)"]}])
    names = [wrong.rpartition(" ")[2] for _, wrong in problems]
    assert names == ["trans_dtime", "trans_type", "trans_amt", "balance_amt", "principal_amt", "int_amt", "int_list"]
