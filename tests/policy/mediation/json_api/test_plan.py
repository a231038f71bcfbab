from relay.policy.mediation.json_api.plan import compile_record, merge_records


def compile_lines(items_of, lines):
    problems = []
    entries = [(f"fields[{index}]", item) for index, item in enumerate(items_of(lines))]
    return compile_record(entries, {}, problems), [f"{each.key}: {each.wrong}" for each in problems]


def test_fields_are_in_a_tree_of_objects(record_of):
    record = record_of(
        ["a an(1)", "b an(1) at o.b", "c an(1) at o.p.c", {"list": "rows", "at": "o.rows", "fields": ["d an(1)"]}]
    )
    assert list(record.root.fields) == ["a"]
    assert list(record.root.objects["o"].fields) == ["b"]
    assert list(record.root.objects["o"].lists) == ["rows"]
    assert list(record.root.objects["o"].objects["p"].fields) == ["c"]
    assert [plan.name for plan in record.iter_fields()] == ["a", "b", "c", "d"]
    assert list(record.describe().groups["rows"].fields) == ["d"]


def test_records_are_merged(record_of):
    merged = merge_records(record_of(["a an(1) at o.a"]), record_of(["b an(1) at o.b"]))
    assert list(merged.root.objects["o"].fields) == ["a", "b"]


def test_problems_are_reported_at_once(items_of):
    inner = {"list": "c", "fields": [{"list": "d", "fields": ["e an(1)"]}]}
    _, problems = compile_lines(
        items_of,
        [
            "a an(1)",
            "a an(2)",
            "b an(1) = ab",
            {"name": "f", "type": "an", "at": "$"},
            {"list": "b2", "fields": [inner]},
        ],
    )
    assert problems == [
        "fields[1]: repeats the name a",
        "fields[2]: has a constant that does not fit",
        "fields[3]: is the body itself",
        "fields[4].fields[0].fields[0]: is nested too deeply",
    ]


def test_a_list_in_rows_is_a_member_of_the_row(items_of):
    _, problems = compile_lines(items_of, [{"list": "a", "fields": [{"list": "b", "at": "$", "fields": ["c an(1)"]}]}])
    assert problems == ["fields[0].fields[0]: is the row itself"]
