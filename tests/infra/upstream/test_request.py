"""Why a request ends without a response, as the record names it."""

import asyncio

import pytest

from relay.domain.fault import FAULTS


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
