import json

from harness import orders
from harness.layout import SMALL
from harness.orders import TRAN_ID


def test_get_is_a_request_of_an_operator():
    wire = orders.get("t.o.k", SMALL).wire().decode()
    assert wire.startswith(f"GET /v1/bank/accounts?org_code={SMALL}&search_timestamp=0&limit=500 HTTP/1.1\r\n")
    assert "\r\nAuthorization: Bearer t.o.k\r\n" in wire
    assert wire.endswith("\r\n\r\n")


def test_post_has_a_body_of_about_200_bytes_and_its_length():
    order = orders.post("t.o.k", SMALL)
    assert 180 <= len(order.body) <= 240
    assert order.headers["Content-Length"] == str(len(order.body))
    assert all(isinstance(value, str) for value in json.loads(order.body).values())
    assert order.wire().endswith(b"\r\n\r\n" + order.body)


def test_transaction_number_has_25_characters():
    assert len(TRAN_ID) == 25


def test_the_file_of_requests_has_the_length_of_each(tmp_path):
    order = orders.get("t.o.k", SMALL)
    written = orders.write(tmp_path / "new" / "get.txt", [order, order]).read_bytes()
    entry = b"%d\n" % len(order.wire()) + order.wire()
    assert written == entry * 2
