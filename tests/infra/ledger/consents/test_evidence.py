"""Evidence is kept with its consent and read by nobody."""

from relay.domain.authorization.consent import Authentication
from relay.domain.ledger import Evidence


class TestProofs:
    async def test_consent_tokens_and_evidence_are_kept(self, ledger, desk, url, sql):
        consent = desk.consent(authentication=Authentication.INTEGRATED)
        pair = desk.pair(consent)
        proofs = [Evidence("password", b"signed"), Evidence("signed_person_info_req", b"asked")]
        await ledger.issue_integrated(consent, pair, [], proofs, desk.now)
        assert await ledger.consent_behind(pair.access.jti) == (pair.access, consent)
        assert sql(url, "SELECT position, kind FROM evidence ORDER BY position") == [
            "0|password",
            "1|signed_person_info_req",
        ]

    async def test_nothing_of_the_customer_stands_there_in_the_clear(self, ledger, desk, url, sql):
        await desk.given(ledger, desk.consent(ci="ZqCiMarker"), desk.code())
        given = desk.consent(ci="ZqCiMarker")
        await ledger.issue_integrated(given, desk.pair(given), [("tx_id", "t")], [Evidence("password", b"ZqProof")], 1)
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
