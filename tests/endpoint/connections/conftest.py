"""Runs the tests on both event loops: the authority's, and asyncio's own of the admin port."""

import asyncio
import ssl
from datetime import UTC, datetime

import pytest
from mydata_sandbox.credentials.certificates import make_dev_certificates

from relay.infra.dns.event_loop import new_event_loop


def pytest_asyncio_loop_factories(config, item):
    return {"relay": new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


@pytest.fixture(scope="session")
def server_context(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.relay.certificate, certificates.relay.private_key)
    return context


@pytest.fixture(scope="session")
def client_context(certificates):
    return ssl.create_default_context(cafile=str(certificates.ca))
