"""A file becomes values or problems, never a traceback."""

import pytest

from relay.runtime.settings.yaml_files import SIZE_MOST, read, scalar


def told(tmp_path, content):
    file = tmp_path / "a.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    sheet = read(file)
    return sheet.values, [str(problem).removeprefix(f"{file}: ") for problem in sheet.problems]


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
    assert scalar(text) == value
    assert told(tmp_path, f"a: {text}\n") == ({"a": value}, [])


def test_quotes_make_text(tmp_path):
    assert told(tmp_path, "a: '12'\nb: \"true\"\n") == ({"a": "12", "b": "true"}, [])


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_empty_mapping(tmp_path, content):
    values, problems = told(tmp_path, content)
    assert not values
    assert problems in ([], ["is not a mapping, key: value lines at the top level"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("- 1\n", "is not a mapping, key: value lines at the top level"),
        ("5\n", "is not a mapping, key: value lines at the top level"),
        ("a: 1\n---\nb: 2\n", "line 2: holds a second document, one document, no second ---"),
        ("a: 1\n\tb: 2\n", "line 2: holds a tab, spaces to indent"),
        ("a: b: c\n", "line 1: holds a colon out of place, quotes around text with a colon"),
        ("a: 'x\n", "line 1: ends inside quotes, a closing quote"),
        ("a: @x\n", "line 1: holds a sign that starts nothing, quotes around text that begins with a sign"),
        ("a: 1\n b: 2\n", "line 2: holds a colon out of place, quotes around text with a colon"),
        ("a: *b\n", "line 1: holds an alias, the value itself; text with an asterisk in quotes"),
        ("a: [1\n", "line 2: is not YAML (expected ',' or ']', but got '<stream end>')"),
        ("a: !!python/object:os.system x\n", "a: has a tag, plain values without !tags"),
        ("a: !!binary x\n", "a: has a tag, plain values without !tags"),
        ("a: !!int x\n", "a: has a tag, plain values without !tags"),
        ("a: !thing {b: 1}\n", "a: has a tag, plain values without !tags"),
        ("a: 1\nb: {c: 1, c: 2}\n", "b.c: stands twice (line 2), each key once"),
        ("? [a]\n: 1\n", "line 1: has a list or section as key, a name"),
        ("a: \x07\n", "holds a control character, printable text"),
        ('a: {b: "\\ud800"}\n', "a.b: holds half a character, whole characters"),
        (b"a: 1\nb: \xb0\xa1\n", "line 2: is not UTF-8, UTF-8 text"),
        ("a: " + "[" * 50 + "]" * 50, "is nested too deep, at most 32 levels"),
        ("a: " + "[" * 5000, "is nested too deep, at most 32 levels"),
        (b"#" * (SIZE_MOST + 1), f"is too large, at most {SIZE_MOST} bytes"),
    ],
)
def test_what_is_no_plain_yaml_is_told_with_its_place(tmp_path, content, problem):
    assert told(tmp_path, content)[1] == [problem]


def test_a_bomb_of_aliases_does_not_go_off(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert len(told(tmp_path, "\n".join(lines))[1]) == 1


def test_a_doubled_key_keeps_its_first_value_and_is_told(tmp_path):
    values, problems = told(tmp_path, "a: 1\na: 2\nb: 3\n")
    assert values == {"a": 1, "b": 3}
    assert problems == ["a: stands twice (line 2), each key once"]


def test_a_folder_is_no_file(tmp_path):
    assert [problem.wrong for problem in read(tmp_path).problems] == ["is a folder"]


def test_an_unreadable_file_says_why(tmp_path):
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert [problem.wrong for problem in read(loop).problems] == ["cannot be read (Too many levels of symbolic links)"]
