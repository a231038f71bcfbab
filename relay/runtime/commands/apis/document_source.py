"""Reads what documents of the standard are built from: catalogue, tables of errors, examples."""

from relay.policy.documents.source import DocumentSource, Example
from relay.standard.catalogue import load_catalogue, load_oauth_errors, load_rsp_codes
from relay.standard.examples import load_examples


def load_document_source() -> DocumentSource:
    """Returns the packaged data for documents."""
    return DocumentSource(
        catalogue=load_catalogue(),
        rsp_codes={code.code: (code.http, code.meaning) for code in load_rsp_codes().values()},
        oauth_errors={
            endpoint: tuple((error.error, error.http, error.when) for error in errors)
            for endpoint, errors in load_oauth_errors().items()
        },
        examples={
            group: {api_id: Example(**call) for api_id, call in calls.items()}
            for group, calls in load_examples().items()
        },
    )
