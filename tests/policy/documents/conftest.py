"""The packaged data, and documents that tests share."""

import pytest

from relay.policy.documents.openapi import build_openapi
from relay.runtime.commands.apis.document_source import load_document_source


@pytest.fixture(scope="session")
def source():
    return load_document_source()


@pytest.fixture(scope="session")
def whole(source):
    """The OpenAPI document of all APIs."""
    return build_openapi(source)


@pytest.fixture(scope="session")
def operations(whole):
    """The operations of the document by operationId."""
    return {operation["operationId"]: operation for path in whole["paths"].values() for operation in path.values()}
