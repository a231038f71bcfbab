"""The packaged data of documents."""

from relay.runtime.commands.apis.document_source import load_document_source


def test_the_source_has_all_packaged_data():
    source = load_document_source()
    assert len(source.catalogue.apis) == 91
    assert source.rsp_codes["40001"][0] == 400
    assert {"authorize", "token"} == set(source.oauth_errors)
    assert source.examples["bank"]["은행-001"].request["org_code"] == "ZBAA000001"
