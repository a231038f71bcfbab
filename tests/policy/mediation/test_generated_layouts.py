"""Every layout decodes what it encodes: all types, groups, optional parts, charsets, headers and framings."""

# ruff: noqa: ARG005 - the builders of a table have the same arguments

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import build_values, encode_message
from relay.policy.mediation.located_values import locate_values
from relay.policy.mediation.settings import TelegramLink
from relay.policy.mediation.telegram.decoding import Decoder
from relay.policy.mediation.telegram.framing import FrameReader, Framing, FramingSettings
from relay.policy.mediation.telegram.plan import compile_message, get_size

CHARSETS = {"EUC-KR": "euc_kr", "CP949": "cp949", "UTF-8": "utf-8"}
TEXTS = {"EUC-KR": "가힝한글 은행A1-", "CP949": "가뷁똠햏 A1-", "UTF-8": "가뷁한 é日A1-"}
MAX_ROWS = 4


def format_number(number, scale):
    digits = f"{abs(number):0{scale + 1}d}"
    text = f"{digits[:-scale]}.{digits[-scale:]}".rstrip("0").rstrip(".") if scale else digits
    return f"-{text}" if number < 0 and text != "0" else text


def numbers(digits, scale, signed):
    low = -(10**digits) + 1 if signed else 0
    return st.integers(low, 10**digits - 1).map(lambda number: format_number(number, scale))


def visible(size):
    return st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=size)


@st.composite
def texts(draw, size, charset):
    """Texts that fit their bytes and have no blanks at their ends."""
    text = ""
    for character in draw(st.lists(st.sampled_from(TEXTS[charset]), max_size=size)):
        if len((text + character).encode(CHARSETS[charset])) <= size:
            text += character
    return text.strip()


def days(first, last):
    return st.dates().map(lambda day: day.replace(year=first + day.year % (last - first + 1), day=min(day.day, 28)))


@st.composite
def fields(draw, name, charset):
    """A field as a section of YAML, and a strategy of its values."""
    size, scale = draw(st.integers(1, 8)), draw(st.integers(0, 3))
    kind = draw(st.sampled_from(sorted(FORMS)))
    item, values = FORMS[kind](draw, size, scale, charset)
    return {"name": name, **item}, values


def build_amount(draw, size, scale, charset):
    sign = draw(st.sampled_from([None, "leading", "trailing"]))
    item = {"type": "amount", "length": size + scale + (sign is not None), "decimals": scale}
    return item | ({"sign": sign} if sign else {}), numbers(size + scale, scale, sign is not None)


def build_packed(draw, size, scale, charset):
    unsigned = draw(st.booleans())
    digits = size * 2 - 1
    decimals = min(scale, digits - 1)
    item = {"type": "packed", "length": size, "unsigned": unsigned, "decimals": decimals}
    return item, numbers(digits, decimals, not unsigned)


def build_binary(draw, size, scale, charset):
    unsigned, little = draw(st.booleans()), draw(st.booleans())
    top = 2 ** (size * 8 - (not unsigned))
    item = {"type": "binary", "length": size, "unsigned": unsigned, "little": little}
    return item, st.integers(0 if unsigned else -top, top - 1).map(str)


def build_aligned(draw, size, scale, charset):
    item = {"type": "an", "length": size} | draw(st.sampled_from([{}, {"align": "right"}, {"align": "left"}]))
    return item, visible(size)


FORMS = {
    "an": build_aligned,
    "n": lambda draw, size, scale, charset: (
        {"type": "n", "length": size},
        st.text("0123456789", min_size=size, max_size=size),
    ),
    "ah": lambda draw, size, scale, charset: ({"type": "ah", "length": size * 3}, texts(size * 3, charset)),
    "amount": build_amount,
    "decimal": lambda draw, size, scale, charset: (
        {"type": "decimal", "length": size + scale + 2, "decimals": scale},
        numbers(size + scale, scale, signed=True),
    ),
    "packed": build_packed,
    "zoned": lambda draw, size, scale, charset: (
        {"type": "zoned", "length": size + scale, "decimals": scale},
        numbers(size + scale, scale, signed=True),
    ),
    "binary": build_binary,
    "date": lambda draw, size, scale, charset: (
        {"type": "date"},
        st.just("") | days(1970, 2200).map(lambda day: day.strftime("%Y%m%d")),
    ),
    "date(6)": lambda draw, size, scale, charset: (
        {"type": "date", "length": 6},
        st.just("") | days(1970, 2069).map(lambda day: day.strftime("%Y%m%d")),
    ),
    "time": lambda draw, size, scale, charset: (
        {"type": "time"},
        st.just("") | st.times().map(lambda time: time.strftime("%H%M%S")),
    ),
    "time(4)": lambda draw, size, scale, charset: (
        {"type": "time", "length": 4},
        st.just("") | st.times().map(lambda time: time.strftime("%H%M00")),
    ),
    "datetime": lambda draw, size, scale, charset: (
        {"type": "datetime"},
        st.just("") | days(1970, 2200).map(lambda day: day.strftime("%Y%m%d123456")),
    ),
}
"""Type -> a field of it, and a strategy of its values."""


@st.composite
def records(draw, prefix, charset, depth):
    """The fields of a record with lists of all kinds, and a strategy of its values."""
    items, strategies = [], {}
    for index in range(draw(st.integers(1, 3))):
        if draw(st.integers(0, 4)) == 0:
            items.append({"type": "filler", "length": draw(st.integers(1, 4))})
        item, values = draw(fields(f"{prefix}{index}", charset))
        items.append(item)
        strategies[f"{prefix}{index}"] = values
    if depth and draw(st.integers(0, 2)):
        items += draw(groups(prefix, charset, depth, strategies))
    return items, st.fixed_dictionaries(strategies)


@st.composite
def groups(draw, prefix, charset, depth, strategies):
    """A list: counted, of fixed rows with a count, or of fixed rows alone, which is full."""
    form = draw(st.sampled_from(["counted", "both", "fixed"]))
    inner, values = draw(records(f"{prefix}r", charset, depth - 1 if form == "counted" else 0))
    group = {"list": f"{prefix}list", "fields": inner}
    count = {"name": f"{prefix}count"} | draw(
        st.sampled_from([{"type": "n", "length": 2}, {"type": "binary", "length": 1}, {"type": "packed", "length": 2}])
    )
    if form == "fixed":
        marker = {"name": f"{prefix}mark", "type": "an", "length": 1, "value": "M"}  # no row is blank
        group |= {"times": 2, "fields": [*inner, marker]}
        full = values.map(lambda row: row | {marker["name"]: "M"})
        strategies[group["list"]] = st.lists(full, min_size=2, max_size=2)
        return [group]
    group |= {"count": count["name"]} | ({"times": MAX_ROWS} if form == "both" else {"max": MAX_ROWS})
    strategies[group["list"]] = st.lists(values, max_size=MAX_ROWS)
    return [count, group]


@st.composite
def links(draw, charset):
    """A framing, and a header that has its length field where the framing says; optional header fields around it."""
    encoding = draw(st.sampled_from(["ascii", "binary", "little"]))
    framing = {
        "length": draw(st.integers(5, 8)) if encoding == "ascii" else draw(st.sampled_from([2, 3, 4, 8])),
        "encoding": encoding,
        "offset": draw(st.sampled_from([0, 0, 4, 11])),
        "counts": draw(st.sampled_from(["rest", "all"])),
        "add": draw(st.sampled_from([0, 0, 4, -3])),
    }
    kind = "n" if encoding == "ascii" else "binary"
    length = {"name": "length", "type": kind, "length": framing["length"], "value": "$length"}
    length |= {"unsigned": True, "little": encoding == "little"} if kind == "binary" else {}
    before = [{"name": "eye", "type": "an", "length": framing["offset"]}] if framing["offset"] else []
    after = draw(st.sampled_from([[], [{"name": "kind", "type": "n", "length": 4, "value": "$kind"}]]))
    return framing, [*before, length, *after]


@st.composite
def layouts(draw):
    """A framing, the plan of a message behind a header, and values."""
    charset = draw(st.sampled_from(sorted(CHARSETS)))
    framing, header = draw(links(charset))
    items, values = draw(records("f", charset, 2))
    if draw(st.booleans()):  # a second list, after rows of unknown number
        strategies = {}
        items += draw(groups("s", charset, 1, strategies))
        values = st.tuples(values, st.fixed_dictionaries(strategies)).map(lambda pair: pair[0] | pair[1])
    if draw(st.booleans()):
        optional, more = draw(records("o", charset, 1))
        optional.append({"name": "there", "type": "an", "length": 1})
        items.append({"optional": optional})
        values = st.tuples(values, more.map(lambda part: part | {"there": "Y"})).map(lambda pair: pair[0] | pair[1])
    link = TelegramLink.model_validate(
        {"charset": charset, "header": header, "response_code": {"field": "eye", "codes": {}}}
    )
    body = TelegramLink.model_validate({"header": items, "response_code": {"field": "eye", "codes": {}}}).header
    problems = []
    plan = compile_message(link.header, "fields", body, charset, problems)
    assert not problems, [(problem.key, problem.wrong) for problem in problems]
    settings_ = FramingSettings.model_validate(framing)
    return Framing(settings_, get_size(plan.header)), plan, draw(values)


def encode(framing, plan, values):
    context = {"length": "0", "kind": "0210"}
    return framing.write_length(encode_message("test", plan, values, context))


def decode(framing, plan, telegram):
    table = Decoder("test", telegram, {"kind": "0210"}).decode(plan)
    return table, build_values(table)


def contains(values, expected):
    """Whether decoded values have all expected ones; counts, constants and fields of the header come in addition."""
    return all(
        len(values[name]) == len(value) and all(map(contains, values[name], value))
        if isinstance(value, list)
        else values[name] == value
        for name, value in expected.items()
    )


@settings(max_examples=150)
@given(layouts())
def test_decoding_returns_the_encoded_values(layout):
    framing, plan, values = layout
    _, decoded = decode(framing, plan, encode(framing, plan, values))
    assert contains(decoded, values)


@settings(max_examples=150)
@given(layouts())
def test_encoding_returns_the_decoded_bytes(layout):
    framing, plan, values = layout
    telegram = encode(framing, plan, values)
    table, decoded = decode(framing, plan, telegram)
    assert encode(framing, plan, decoded) == telegram
    located = [value for value in locate_values(plan, table, telegram) if value.plan is not None]
    assert all(telegram[value.offset :][: value.length] == value.raw for value in located)


@settings(max_examples=50)
@given(layouts(), st.data())
def test_a_stream_in_any_parts_is_the_same_telegrams(layout, data):
    framing, plan, values = layout
    telegram = encode(framing, plan, values)
    stream = telegram * 3
    reader, telegrams, position = FrameReader(framing), [], 0
    while position < len(stream):
        end = data.draw(st.integers(position + 1, len(stream)))
        telegrams += reader.feed(stream[position:end])
        position = end
    assert (telegrams, reader.pending) == ([telegram] * 3, 0)


@settings(max_examples=50)
@given(layouts(), st.integers(1, 40))
def test_a_telegram_cut_anywhere_is_an_error(layout, cut):
    framing, plan, values = layout
    telegram = encode(framing, plan, values)
    decoded, error = None, None
    try:
        decoded = decode(framing, plan, telegram[: max(len(telegram) - cut, 0)])[1]
    except ConversionError as raised:
        error = raised
    assert error is not None or "there" in decoded  # only the whole optional part may be absent
