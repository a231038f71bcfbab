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


def test_repr_hides_the_customer():
    assert "Zq7marker" not in repr(GRANT)
    assert "jti-1" in repr(GRANT)


def test_a_new_grant_is_not_revoked():
    assert GRANT.revoked is False


def test_all_holders_of_a_grant_see_it_revoked():
    grant = Grant("jti-2", 0.0, scheduled=False, assets={}, withheld=frozenset(), told=b"", ci=b"")
    shared = grant
    grant.revoked = True
    assert shared.revoked


def test_an_uncached_grant_names_its_token_in_the_attribute_only():
    missing = NotYet("jti-1")
    assert (missing.jti, str(missing)) == ("jti-1", "")
