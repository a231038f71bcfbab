from relay.domain.authorization.grant import Grant, NotYet

GRANT = Grant(
    jti="jti-1",
    ends=1_800_000_000.0,
    scheduled=True,
    assets={"bank.deposit": frozenset({("110-Zq7marker", "")})},
    withheld=frozenset({"trans_memo"}),
    told=b'{"asset":"110-Zq7marker"}',
    ci=b"Zq7marker",
)


def test_a_grant_shows_nothing_of_the_customer():
    assert "Zq7marker" not in repr(GRANT)
    assert "jti-1" in repr(GRANT)


def test_a_grant_is_in_force_until_the_ledger_says_otherwise():
    assert GRANT.revoked is False


def test_whoever_holds_a_grant_sees_it_revoked():
    grant = Grant("jti-2", 0.0, scheduled=False, assets={}, withheld=frozenset(), told=b"", ci=b"")
    held = grant
    grant.revoked = True
    assert held.revoked


def test_a_grant_not_yet_known_names_its_token_to_us_alone():
    missing = NotYet("jti-1")
    assert (missing.jti, str(missing)) == ("jti-1", "")
