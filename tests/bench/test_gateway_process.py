import json

import jwt
import pytest
from harness.gateway_process import AnySignature
from harness.layout import CLIENT_ID, OPERATOR, SMALL
from harness.load import LoadFailed
from harness.measure import Lag, read_lag
from harness.numbered_tokens import make_token

from relay.domain.authorization.issued_tokens import TokenKind
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.tokens.verification import Verifier, VerifyingKey


@pytest.fixture
def tokens(monkeypatch):
    monkeypatch.setattr(jwt.api_jws, "decode", jwt.api_jws.decode)  # restored after the test
    monkeypatch.setattr(SqlLedger, "find_token_and_consent", SqlLedger.find_token_and_consent)
    return AnySignature()


def test_the_gateway_takes_a_token_with_any_signature(tokens):
    verifier = Verifier({"bench": VerifyingKey("RS256", None)}, "ZRLY000001", 0)
    claims = verifier.issued(make_token(5).encode())
    assert claims.jti.startswith("000000000005.")
    assert tokens.count == 1


async def test_the_ledger_knows_each_token_with_its_own_consent(tokens):
    jti = f"000000000005.{SMALL}.{OPERATOR}.{CLIENT_ID}"
    first, second = [await SqlLedger.find_token_and_consent(None, jti) for _ in range(2)]
    record, consent = first
    assert (record.jti, record.kind) == (jti, TokenKind.ACCESS)
    assert (consent.provider, consent.operator, consent.client_id) == (SMALL, OPERATOR, CLIENT_ID)
    assert consent.ci != second[1].ci


def line(at, stall):
    return json.dumps({"at": at, "stall_ms": stall, "busy_ms": 1.0, "collected_ms": 0.0, "new_tokens": 0}) + "\n"


def test_the_longest_stall_is_that_of_lines_after_the_start(tmp_path):
    output = tmp_path / "lag.jsonl"
    output.write_text(line(9.0, 99.0) + line(10.2, 88.0) + line(10.6, 2.0) + line(11.1, 3.0))
    assert read_lag(output, 10.0) == Lag(3.0, 1.0, 0.0)


def test_a_run_without_lines_is_no_measurement(tmp_path):
    output = tmp_path / "lag.jsonl"
    output.write_text(line(9.0, 1.0))
    with pytest.raises(LoadFailed):
        read_lag(output, 10.0)
