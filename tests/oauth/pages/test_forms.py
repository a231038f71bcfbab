"""Invalid input at all forms of the pages, over real sockets."""

import asyncio

import pytest

from relay.oauth.pages import forms

FORM = "application/x-www-form-urlencoded"
STEPS = ["/login", "/consent", "/cancel"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"form_token=x&a=%FF", {}, 400),
        (b"form_token=x&a=\xff", {}, 400),
        (b"no pairs here", {}, 400),
        (b"&".join(b"a=1" for _ in range(2001)), {}, 400),
        (b"a=" + b"1" * forms.MAX_BODY_BYTES, {}, 413),
        (b"", {}, 403),
        (b"form_token=x&form_token=x", {}, 403),
        (b'{"form_token": "x"}', {"Content-Type": "application/json"}, 400),
        (b"form_token=x", {"Content-Type": "multipart/form-data; boundary=x"}, 400),
        (b"form_token=x", {"Content-Type": "text/plain"}, 400),
        (b"form_token=x", {"Content-Encoding": "gzip"}, 400),
    ],
    ids=range(11),
)
async def test_an_invalid_form_gets_an_error_page_and_does_nothing(browser, authority, step, body, headers, status):
    await browser.get()
    response = await browser.send("POST", browser.path + step, data=body, headers={"Content-Type": FORM} | headers)
    assert response.status == status
    assert '<html lang="ko">' in response.text
    assert authority.ledger.history == []


async def test_an_incomplete_form_times_out(browser, monkeypatch):
    monkeypatch.setattr(forms, "BODY_S", 0.05)
    await browser.get()
    never = asyncio.Event()

    async def send_part():
        yield b"form_token="
        await never.wait()

    response = await browser.send("POST", browser.path + "/login", data=send_part(), headers={"Content-Type": FORM})
    never.set()
    assert response.status == 400


@pytest.mark.parametrize(
    ("values", "flaw"),
    [
        ((), "missing"),
        (("",), "missing"),
        (("a", "a"), "missing"),
        (("a" * 8,), ""),
        (("a" * 9,), "long"),
        (("a\n" * 9,), "long"),
        (("a\u200b",), "unprintable"),
        (("가 나",), ""),
    ],
)
def test_the_flaw_of_a_typed_value_is_found(values, flaw):
    form = {"x": values} if values else {}
    assert forms.find_flaw(form, "x", 8) == flaw
    assert bool(forms.read_field(form, "x", 8)) is not bool(flaw)


@pytest.mark.parametrize(
    ("values", "value"),
    [((), ""), (("a",), "a"), (("a", "a"), ""), (("a" * 9,), ""), (("a\n",), ""), (("\ud800",), ""), (("가",), "가")],
)
def test_a_field_is_printable_short_and_single(values, value):
    assert forms.read_field({"x": values} if values else {}, "x", 8) == value
