"""Bad input at every form of the pages; real sockets."""

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
        (b"a=" + b"1" * forms.BODY_MOST, {}, 413),
        (b"", {}, 403),
        (b"form_token=x&form_token=x", {}, 403),
        (b'{"form_token": "x"}', {"Content-Type": "application/json"}, 400),
        (b"form_token=x", {"Content-Type": "multipart/form-data; boundary=x"}, 400),
        (b"form_token=x", {"Content-Type": "text/plain"}, 400),
        (b"form_token=x", {"Content-Encoding": "gzip"}, 400),
    ],
    ids=range(11),
)
async def test_what_is_no_form_of_ours_gets_a_page_and_does_nothing(phone, authority, step, body, headers, status):
    await phone.get()
    answer = await phone.ask("POST", phone.place + step, data=body, headers={"Content-Type": FORM} | headers)
    assert answer.status == status
    assert '<html lang="ko">' in answer.text
    assert authority.ledger.history == []


async def test_a_form_that_does_not_come_is_given_up(phone, monkeypatch):
    monkeypatch.setattr(forms, "BODY_S", 0.05)
    await phone.get()
    never = asyncio.Event()

    async def slowly():
        yield b"form_token="
        await never.wait()

    answer = await phone.ask("POST", phone.place + "/login", data=slowly(), headers={"Content-Type": FORM})
    never.set()
    assert answer.status == 400


@pytest.mark.parametrize(
    ("values", "said"),
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
def test_what_is_wrong_with_a_typed_value_is_known(values, said):
    form = {"x": values} if values else {}
    assert forms.flaw(form, "x", 8) == said
    assert bool(forms.one(form, "x", 8)) is not bool(said)


@pytest.mark.parametrize(
    ("values", "value"),
    [((), ""), (("a",), "a"), (("a", "a"), ""), (("a" * 9,), ""), (("a\n",), ""), (("\ud800",), ""), (("가",), "가")],
)
def test_one_value_is_printable_short_and_alone(values, value):
    assert forms.one({"x": values} if values else {}, "x", 8) == value
