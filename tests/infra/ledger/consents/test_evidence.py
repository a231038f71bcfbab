"""Evidence is stored with its consent, and nothing of the customer in clear."""

from relay.domain.authorization.consent import Authentication
from relay.domain.ledger import Evidence


class TestEvidence:
    async def test_consent_tokens_and_evidence_are_stored(self, ledger, factory, url, sql):
        consent = factory.build_consent(authentication=Authentication.INTEGRATED)
        pair = factory.build_pair(consent)
        evidence = [Evidence("password", b"signed"), Evidence("signed_person_info_req", b"asked")]
        await ledger.issue_integrated(consent, pair, [], evidence, factory.now)
        assert await ledger.find_token_and_consent(pair.access.jti) == (pair.access, consent)
        assert sql(url, "SELECT position, kind FROM evidence ORDER BY position") == [
            "0|password",
            "1|signed_person_info_req",
        ]

    async def test_customer_data_is_never_stored_in_clear(self, ledger, factory, url, sql):
        await factory.give_consent(ledger, factory.build_consent(ci="ZqCiMarker"), factory.build_code())
        consent, evidence = factory.build_consent(ci="ZqCiMarker"), [Evidence("password", b"ZqProof")]
        await ledger.issue_integrated(consent, factory.build_pair(consent), [("tx_id", "t")], evidence, 1)
        cast = "hex({})" if url.startswith("sqlite") else "encode({}, 'hex')"
        blobs = [
            row.lower()
            for table, column in [
                ("consents", "ci"),
                ("consents", "customer"),
                ("consent_scopes", "assets"),
                ("authorization_requests", "ci"),
                ("evidence", "content"),
            ]
            for row in sql(url, f"SELECT {cast.format(column)} FROM {table}")
        ]
        assert len(blobs) == 2 + 2 + 6 + 1 + 1
        for marker in (b"ZqCiMarker", b"ZqProof", b"110-222-333333"):
            assert not [blob for blob in blobs if marker.hex() in blob]
