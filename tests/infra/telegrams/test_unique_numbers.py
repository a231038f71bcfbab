from relay.infra.telegrams.unique_numbers import UniqueNumbers


def test_numbers_count_up_from_the_time():
    numbers = UniqueNumbers(12, 1_800_000_000.0)
    assert [numbers.take() for _ in range(3)] == ["800000000001", "800000000002", "800000000003"]


def test_numbers_begin_again_at_one():
    numbers = UniqueNumbers(2, 0.098)
    assert [numbers.take() for _ in range(3)] == ["99", "01", "02"]


def test_telegrams_without_numbers_have_none():
    assert UniqueNumbers(0, 1.0).take() == ""
