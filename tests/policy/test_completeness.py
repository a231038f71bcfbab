"""An answer that ends with its connection is whole only when its JSON object is closed."""

import pytest

from relay.policy.envelope import is_complete


@pytest.mark.parametrize(
    ("headers", "body", "complete"),
    [
        ({b"content-length": b"1"}, b"{", True),  # counted: the wire saw its end
        ({b"transfer-encoding": b"chunked"}, b"{", True),
        ({}, b'{"rsp_code":"00000"}', True),
        ({}, b'{"rsp_code":"00000"}\r\n', True),
        ({}, b'{"rsp_code":"00000","account_list":[{"a":"', False),
        ({}, b"", False),
        ({b"content-encoding": b"gzip"}, b"\x1f\x8b", True),  # cannot be seen
    ],
)
def test_an_answer_without_a_length_must_close_its_object(headers, body, complete):
    assert is_complete(headers, body) is complete
