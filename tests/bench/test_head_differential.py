import types

import head_differential
from harness import head_difference

GET = b"GET /v1 HTTP/1.1\r\nHost: h\r\nVia: a\r\n\r\n"
REFUSED = b"GET /v1 HTTP/1.1\r\nHost: h\r\nVia : a\r\n\r\n"


def use_scanner(monkeypatch, scanned):
    scanner = types.SimpleNamespace(scan_request=lambda *_: scanned, scan_response=lambda *_: scanned)
    monkeypatch.setattr(head_difference, "SCANNERS", {"broken": scanner})


def test_a_scanner_that_accepts_a_refused_head_is_reported(monkeypatch):
    fields = ("GET", b"/v1", b"/v1", b"", {b"host": b"h", b"via": b"a"}, 0, False, False)
    use_scanner(monkeypatch, fields)
    assert head_difference.find_difference(GET, 100, is_request=True) == (fields, "")
    assert "broken has" in head_difference.find_difference(REFUSED, 100, is_request=True)[1]


def test_a_scanner_that_refuses_everything_is_reported(monkeypatch):
    use_scanner(monkeypatch, None)
    assert head_difference.find_difference(REFUSED, 100, is_request=True)[1] == ""
    assert "broken has None" in head_difference.find_difference(GET, 100, is_request=True)[1]
    assert len(head_difference.compare(0, 50)[1]) > 5


def test_the_relay_itself_is_compared(monkeypatch):
    monkeypatch.setattr(head_difference, "get_request_fields", lambda *_: ("PUT",))
    assert "the relay has ('PUT',)" in head_difference.find_difference(GET, 100, is_request=True)[1]


def test_the_command_counts_heads_and_ends_with_0(monkeypatch, capsys):
    monkeypatch.setattr(head_differential, "SLICE", 100)
    monkeypatch.setattr("sys.argv", ["head_differential.py", "--heads", "200", "--processes", "2"])
    assert head_differential.main() == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("200 heads in ")
