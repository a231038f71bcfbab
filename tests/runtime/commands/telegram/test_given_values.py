import pytest

from relay.runtime.commands.telegram.given_values import build_call, check_names, parse_moment, read_values


def fails(capsys, call, *arguments):
    with pytest.raises(SystemExit) as end:
        call(*arguments)
    assert end.value.code == 2
    return capsys.readouterr().err


def test_arguments_win_over_the_file(tmp_path):
    (tmp_path / "values.json").write_text('{"a": "1", "b": "2"}')
    assert read_values(["b=3=4", "c="], tmp_path / "values.json") == {"a": "1", "b": "3=4", "c": ""}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"[1]", "is no JSON object"),
        (b"{", "is no JSON: "),
        (b"\xff\x00", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b" " * 5_000_000, "is too large"),
    ],
    ids=["list", "open", "bytes", "deep", "huge"],
)
def test_a_file_that_is_no_object_is_refused(tmp_path, capsys, content, text):
    (tmp_path / "values.json").write_bytes(content)
    assert text in fails(capsys, read_values, [], tmp_path / "values.json")


def test_values_without_name_and_missing_files_are_refused(tmp_path, capsys):
    assert "is no value; expected: NAME=VALUE" in fails(capsys, read_values, ["110"], None)
    assert "cannot be read" in fails(capsys, read_values, [], tmp_path / "none.json")


def test_unknown_names_are_listed_with_the_known_ones(capsys):
    assert fails(capsys, check_names, {"x": 1, "a": 1}, {"a", "b"}, "field") == "x: no field; expected: a, b\n"


def test_a_call_has_fictitious_values_of_the_caller(layouts):
    call = build_call(layouts.get("BA02"), {"account_num": "1", "seqno": 7, "client_id": "mine"}, "ZBAC000001")
    assert call.parameters == {"org_code": "ZBAC000001", "account_num": "1", "seqno": "7"}
    assert (len(call.user_ci), call.client_id, call.api_type) == (88, "mine", "user-search")


def test_a_call_needs_its_asset_and_texts(layouts, capsys):
    conversion = layouts.get("BA02")
    assert "account_num: is missing" in fails(capsys, build_call, conversion, {}, "Z")
    values = {"account_num": ["1"]}
    assert "neither text nor a whole number" in fails(capsys, build_call, conversion, values, "Z")


def test_a_moment_is_written_without_points(capsys):
    assert parse_moment(None, 5.0) == 5.0
    assert parse_moment("20270115170000", 0.0) == 1_800_000_000.0
    assert "is no time; expected: YYYYMMDDHHMMSS" in fails(capsys, parse_moment, "2027", 0.0)
