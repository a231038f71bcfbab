from relay.runtime.commands.telegram.tables import format_wrapped, wrap


def test_the_last_column_is_wrapped():
    lines = list(format_wrapped(("a", "text"), [["1", "two three four five six"]], {"a"}, 20))
    assert lines == ["a  text", "1  two three four", "   five six"]


def test_wide_letters_have_two_columns():
    lines = list(format_wrapped(("이름", "b"), [["잔액", "1"], ["x", "2"]], (), 40))
    assert lines == ["이름  b", "잔액  1", "x     2"]


def test_a_path_is_divided_after_a_point():
    assert wrap("trans_list[].int_list[].int_rate", 24) == ["trans_list[].int_list[].", "int_rate"]


def test_a_long_word_is_divided_where_the_line_ends():
    assert wrap("가나다라마", 4) == ["가나", "다라", "마"]
