"""Why a request ends without a response, as the record names it."""

import asyncio

import pytest
from pool_stand import NAMED, OK

from relay.domain.fault import FAULTS
from relay.policy.upstream.breaker import LEAST_FAILURES


@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        *(("refused", "connect_refused"), ("reset", "connect_reset"), ("unreachable", "connect_unreachable")),
        *(("time_out", "connect_timeout"), ("no_socket", "connect_failed"), ("error", "connect_failed")),
        *((cause, cause) for cause in ("dns", "tls_untrusted", "tls_hostname", "tls_expired", "tls_not_yet_valid")),
        *((cause, cause) for cause in ("tls_refused", "tls_protocol", "tls_records", "no_descriptors")),
    ],
)
async def test_a_failed_dial_is_named_by_its_cause(stand, cause, fault):
    stand.dialer.error = cause
    await stand.send()
    stand.loop.turn()
    assert stand.events(0) == [("failed", fault, cause)]


def test_too_few_descriptors_are_a_fault_of_the_relay():
    assert (FAULTS["no_descriptors"].owner, FAULTS["no_descriptors"].rsp_code) == ("relay", "50001")


async def test_a_connection_that_is_not_open_in_time_is_a_timeout(stand):
    stand.dialer.dead[0] = asyncio.Event()
    await stand.send()
    stand.loop.now += 2
    stand.watch.tick(stand.loop.now)
    assert stand.events(0) == [("failed", "connect_timeout", "time_out")]


def report(fault):
    """Returns a response in which the adapter reports a fault."""
    fields = b"x-relay-fault: " + fault + b"\r\nx-relay-detail: line%20down\r\nContent-Length: 2\r\n\r\n{}"
    return b"HTTP/1.1 500 Internal Server Error\r\n" + NAMED + fields


async def answer(stand, response):
    """Sends a request and answers it on its connection."""
    await stand.send()
    stand.receive(-1, response)


async def test_a_fault_that_the_adapter_reports_is_that_of_the_request(stand):
    stand.pool.is_adapter = True
    await answer(stand, report(b"provider_silent"))
    assert stand.events(0) == [("failed", "provider_silent", "line down")]
    assert stand.pool.counts()["flying"] == 0
    await answer(stand, OK % b"")
    assert stand.events(1)[0][:2] == ("response", 200)


async def test_faults_of_a_core_open_the_breaker(stand):
    stand.pool.is_adapter = True
    for _ in range(LEAST_FAILURES):
        await answer(stand, report(b"connect_refused"))
    assert stand.pool.state()["breaker_open"] == 1


async def test_conversions_that_fail_open_no_breaker(stand):
    stand.pool.is_adapter = True
    for _ in range(LEAST_FAILURES):
        await answer(stand, report(b"conversion_failed"))
    assert stand.pool.state()["breaker_open"] == 0


async def test_an_institution_of_the_standard_reports_no_fault(stand):
    await answer(stand, report(b"relay_broken"))
    assert stand.events(0) == [("response", 500, b"{}")]


async def test_an_adapter_that_is_away_is_a_fault_of_the_relay(stand):
    stand.pool.is_adapter = True
    stand.dialer.error = "no_socket"
    await stand.send()
    stand.loop.turn()
    assert stand.events(0) == [("failed", "adapter_unreachable", "no_socket")]


async def test_an_adapter_that_ends_during_a_call_is_a_fault_of_the_relay(stand):
    stand.pool.is_adapter = True
    await stand.send()
    stand.disconnect(-1)
    assert stand.events(0)[0][:2] == ("failed", "adapter_unreachable")
