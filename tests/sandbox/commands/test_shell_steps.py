"""Steps run in one shell, in order, up to the first that fails."""

import json

import pytest
from mydata_sandbox.commands.shell_steps import FIELD_FUNCTION, Step, StepFailed, assign, build_form, run_steps

SET = Step("set", "값을 정합니다.", "Sets a value.", assign("VALUE", 'echo \'{"a": [{"b": 7}]}\''))
READ = Step("read", "값을 읽습니다.", "Reads it.", 'echo "$VALUE" | field a.0.b')
FAIL = Step("fail", "실패합니다.", "Fails.", "echo why >&2; false")


def test_a_step_uses_values_of_the_steps_before(capsys):
    run_steps([SET, READ], as_json=True)
    assert [row["output"] for row in json.loads(capsys.readouterr().out)] == ['{"a": [{"b": 7}]}', "7"]


def test_the_first_failure_ends_the_run(capsys):
    with pytest.raises(StepFailed, match="step fail failed: why"):
        run_steps([FAIL, READ], as_json=True)
    assert [(row["name"], row["exit_code"]) for row in json.loads(capsys.readouterr().out)] == [("fail", 1)]


def test_people_read_the_sentence_before_the_output(capsys):
    run_steps([SET], as_json=False)
    assert capsys.readouterr().out == '# 1. 값을 정합니다.\n#    Sets a value.\n{"a": [{"b": 7}]}\n\n'


def test_variables_are_expanded_and_other_values_quoted():
    assert build_form({"code": "$CODE", "name": "a b"}) == [
        '--data-urlencode "code=$CODE"',
        "--data-urlencode 'name=a b'",
    ]
    assert FIELD_FUNCTION.startswith("field() {")
