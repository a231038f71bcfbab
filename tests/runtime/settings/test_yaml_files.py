"""A file becomes values or problems, never a traceback."""

import pytest

from relay.runtime.settings.yaml_files import MAX_BYTES, parse_scalar, read_yaml


def parse(tmp_path, content):
    file = tmp_path / "a.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    parsed = read_yaml(file)
    return parsed.values, [str(problem).removeprefix(f"{file}: ") for problem in parsed.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("off", "off"),
        ("no", "no"),
        ("0100", "0100"),
        ("0000000001", "0000000001"),
        ("2200:0400", "2200:0400"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("~", None),
        ("", None),
        ("v1", "v1"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path, text, value):
    assert parse_scalar(text) == value
    assert parse(tmp_path, f"a: {text}\n") == ({"a": value}, [])


def test_quotes_make_text(tmp_path):
    assert parse(tmp_path, "a: '12'\nb: \"true\"\n") == ({"a": "12", "b": "true"}, [])


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_empty_mapping(tmp_path, content):
    values, problems = parse(tmp_path, content)
    assert not values
    assert problems in ([], ["is not a mapping; expected: key: value lines at the top level"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("- 1\n", "is not a mapping; expected: key: value lines at the top level"),
        ("5\n", "is not a mapping; expected: key: value lines at the top level"),
        ("a: 1\n---\nb: 2\n", "line 2: contains a second document; expected: one document, no second ---"),
        ("a: 1\n\tb: 2\n", "line 2: contains a tab; expected: spaces for indentation"),
        ("a: b: c\n", "line 1: contains a misplaced colon; expected: quotes around text with a colon"),
        ("a: 'x\n", "line 1: ends inside quotes; expected: a closing quote"),
        ("a: @x\n", "line 1: contains a character that cannot begin a value; expected: quotes around that text"),
        ("a: 1\n b: 2\n", "line 2: contains a misplaced colon; expected: quotes around text with a colon"),
        ("a: *b\n", "line 1: contains an alias; expected: the value itself, and quotes around text with an asterisk"),
        ("a: [1\n", "line 2: is not YAML (expected ',' or ']', but got '<stream end>')"),
        ("a: !!python/object:os.system x\n", "a: has a tag; expected: plain values without !tags"),
        ("a: !!binary x\n", "a: has a tag; expected: plain values without !tags"),
        ("a: !!int x\n", "a: has a tag; expected: plain values without !tags"),
        ("a: !thing {b: 1}\n", "a: has a tag; expected: plain values without !tags"),
        ("a: 1\nb: {c: 1, c: 2}\n", "b.c: is a duplicate (line 2); expected: each key once"),
        ("? [a]\n: 1\n", "line 1: has a list or section as key; expected: a name"),
        ("a: \x07\n", "contains a control character; expected: printable text"),
        ('a: {b: "\\ud800"}\n', "a.b: contains a lone surrogate; expected: whole characters"),
        (b"a: 1\nb: \xb0\xa1\n", "line 2: is not UTF-8; expected: UTF-8 text"),
        ("a: " + "[" * 50 + "]" * 50, "is nested too deeply; expected: at most 32 levels"),
        ("a: " + "[" * 5000, "is nested too deeply; expected: at most 32 levels"),
        (b"#" * (MAX_BYTES + 1), f"is too large; expected: at most {MAX_BYTES} bytes"),
    ],
)
def test_a_syntax_error_is_reported_with_its_line(tmp_path, content, problem):
    assert parse(tmp_path, content)[1] == [problem]


def test_an_alias_bomb_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert len(parse(tmp_path, "\n".join(lines))[1]) == 1


def test_a_duplicate_key_keeps_its_first_value(tmp_path):
    values, problems = parse(tmp_path, "a: 1\na: 2\nb: 3\n")
    assert values == {"a": 1, "b": 3}
    assert problems == ["a: is a duplicate (line 2); expected: each key once"]


def test_a_folder_is_not_a_file(tmp_path):
    assert [problem.wrong for problem in read_yaml(tmp_path).problems] == ["is a folder"]


def test_an_unreadable_file_is_reported_with_the_reason(tmp_path):
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert [problem.wrong for problem in read_yaml(loop).problems] == [
        "cannot be read (Too many levels of symbolic links)"
    ]
