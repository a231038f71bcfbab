from harness.tables import Sheet, sheets_of, tables_of

CELL = {"cpu_us": 60.0, "rps": 9000.0, "p50_ms": 1.0, "p99_ms": 2.0, "waited": 0.01, "errors": 0, "kept": 3, "total": 3}
CASES = {
    "cases": {"get": {"relay": CELL, "nginx_lua": CELL | {"cpu_us": 40.0}}, "post": {"relay": CELL}},
    "ratios": {"get": {"relay_to_nginx_lua": 1.5}, "post": {"relay_to_nginx_lua": 1.4}},
    "runs": {"rounds": 3, "kept": 9, "total": 9},
}
ADDED = {"rate": 1000.0, "added_p50_ms": 0.1, "added_p99_ms": 0.2, "added_p999_ms": 0.3, "waited": 0.0}
LAG = {"stall_ms": 4.0, "busy_ms": 1.0, "collected_ms": 0.0}


def test_cpu_has_a_row_for_each_case_and_a_column_for_each_gateway():
    cpu, ratios = sheets_of(CASES)
    assert cpu.heads == ["case", "relay", "nginx + Lua"]
    assert [row[1:] for row in cpu.rows] == [["60.0", "40.0"], ["60.0", ""]]
    assert [row[1:] for row in ratios.rows] == [["1.50"], ["1.40"]]


def test_terminal_also_has_the_closed_loop():
    assert [table.row_count for table in tables_of(CASES)] == [3, 2, 2]


def test_a_part_that_was_not_measured_has_no_table():
    assert list(sheets_of({"cases": {}, "half_load": {}})) == []


def test_only_relays_have_a_longest_stall():
    (sheet,) = sheets_of({"half_load": ADDED | LAG | {"peers": {"nginx_lua": ADDED}}})
    assert [row[0] for row in sheet.rows] == ["relay", "nginx + Lua"]
    assert [row[5] for row in sheet.rows] == ["4.0", ""]


def test_half_load_without_the_pure_form_has_the_others():
    (sheet,) = sheets_of({"half_load": {"peers": {"relay_compiled": ADDED | LAG}}})
    assert [row[0] for row in sheet.rows] == ["compiled"]


def test_long_parts_have_a_row_for_each_form():
    axis = {"small": 10, "large": 1000, "small_cpu_us": 30.0, "large_cpu_us": 33.0, "ratio": 1.1}
    workers = {
        "cores": "0,1",
        "1": CELL,
        "2": CELL | {"busiest_share": 0.5},
        "throughput_ratio": 1.8,
        "cpu_ratio": 1.0,
    }
    seeding = {"tokens": 1000, "kb_each": 1.2}
    result = {
        "endurance": {"relay": ADDED | LAG | {"seconds": 300.0, "seeding": seeding}},
        "handshakes": {"gateways": {"relay": CELL, "nginx_lua": CELL}, "ratios": {}},
        "workers": {"relay": workers},
        "growth": {"relay": {"institutions": axis, "tokens": axis | {"seeding": seeding}}},
        "idle_connections": {"relay": {"connections": 10, "kb_each": 39.9, "with_mb": 100.0, "after_mb": 90.0}},
        "stalled_readers": {"runs": [{"gateway": "relay", "answer_mb": 1.0, "grown_mb": 0.5, "errors": 0}]},
    }
    assert [len(sheet.rows) for sheet in sheets_of(result)] == [1, 2, 1, 2, 1, 1]


def test_markdown_has_title_heads_and_rows():
    text = Sheet("Figures", ["a", "b"], [["1", "2"]]).markdown()
    assert text == "**Figures**\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
