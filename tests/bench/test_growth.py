from harness.layout import OPERATOR, SMALL
from parts.growth import CALLS, FEW_TOKENS, INSTITUTIONS, OPERATORS, axes

TOKENS = 50_000


def by_name():
    return {pair[0].name: pair for pair in axes(TOKENS)}


def targets(axis):
    return {call.target for call in axis.requests()}


def test_axes_differ_in_one_size_only():
    sizes = {name: (small.size, large.size) for name, (small, large) in by_name().items()}
    assert sizes == {"institutions": INSTITUTIONS, "operators": OPERATORS, "tokens": (FEW_TOKENS, TOKENS)}
    for small, large in by_name().values():
        assert (small.connections, small.listener) == (large.connections, large.listener)
        assert len(small.requests()) == len(large.requests())


def test_calls_go_to_every_institution():
    small, large = by_name()["institutions"]
    assert (len(targets(small)), len(targets(large))) == INSTITUTIONS


def test_calls_of_an_operator_stand_where_its_connections_expect_them():
    for axis in by_name()["operators"]:
        assert axis.connections % axis.size == 0
        assert CALLS % axis.size == 0
        for number, call in enumerate(axis.requests()):
            operator = axis.operators[number % axis.size].org_code
            assert call.headers["x-api-tran-id"].startswith(operator)


def test_tokens_are_written_by_the_load_and_all_of_them_remembered():
    small, large = by_name()["tokens"]
    assert (small.seeded, large.seeded) == (FEW_TOKENS, TOKENS)
    assert large.changes["tokens"]["memory"] >= 2 * TOKENS
    (call,) = large.requests()
    assert f"org_code={SMALL}" in call.target
    assert call.headers["x-api-tran-id"].startswith(OPERATOR)
