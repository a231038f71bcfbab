"""Any file that the models accept is compiled or has problems; none of them raises an error."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

WORDS = st.sampled_from(
    ["", "an(3)", "x n(2)", "trans_list", "account_num", "= $key", "a date", "omit", "message", "00000", "filler(3)",
     "account_num an(20)", "x packed(3,9)", "x amount(3,3) sign leading", "y ah(2) = 한글", "BA04", "empty"]
)  # fmt: skip
VALUES = WORDS | st.integers(0, 999) | st.lists(WORDS, max_size=2) | st.dictionaries(WORDS, WORDS, max_size=2)


def places(value, path=()):
    """Yields the paths of all values in nested lists and mappings."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def spoil(values, path, action, other):
    """Changes the value at a path: removes it, doubles it in its list, or puts another in its place."""
    holder = values
    for key in path[:-1]:
        holder = holder[key]
    if action == "remove":
        del holder[path[-1]]
    elif action == "double" and isinstance(holder, list):
        holder.insert(path[-1], copy.deepcopy(holder[path[-1]]))
    else:
        holder[path[-1]] = other


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_spoilt_files_have_problems_and_raise_nothing(all_files, data):
    files = copy.deepcopy(all_files)
    name = data.draw(st.sampled_from(["link.yaml", *sorted(files.messages)]))
    values = files.link if name == "link.yaml" else files.messages[name]
    for _ in range(data.draw(st.integers(1, 3))):
        paths = list(places(values))
        action = data.draw(st.sampled_from(["remove", "double", "replace"]))
        spoil(values, data.draw(st.sampled_from(paths)), action, data.draw(VALUES))
    files.messages = {} if name == "link.yaml" else {name: values}
    try:
        institution, problems = files.compile()
    except ValidationError:
        return
    assert (institution is None) == bool(problems)
