"""Migration 0005 adds the registry's past, absent entries, and repairs of statistics."""

from relay.domain.registry import Organisation, OrgType, RegistryChanges, RegistryHistory
from relay.infra.ledger import upgrading
from relay.infra.ledger.schema import SchemaState
from relay.infra.ledger.sql_ledger import create_ledger

ONE = Organisation("ZOPA000001", OrgType.OPERATOR, "하나사업자", "2028200002", ("203.0.113.7",))
OLD = (
    "INSERT INTO organisations (org_code, number, gone, org_type, name, serial_num, addresses, is_receiver, relay,"
    " industry, slots, domain, cert_issuer_dn, cert_oid)"
    " VALUES ('{}', {}, {}, '03', '', '', '[]', false, '', '', '[]', '', '', '') RETURNING 1"
)


async def test_removed_entries_are_absent_since_the_last_sync(bare_url, upgrade_to, sealer, sql, factory):
    await upgrade_to(bare_url, "0004")
    sql(bare_url, OLD.format("ZOPA000001", 1, "true"))
    sql(bare_url, OLD.format("ZOPA000002", 2, "false"))
    sql(bare_url, f"UPDATE registry_head SET number = 2, synced_at = {factory.now} RETURNING 1")
    assert (await upgrading.upgrade(bare_url, sealer)).before is SchemaState.OLDER
    assert sql(bare_url, "SELECT kind, name, since FROM registry_away") == [f"organisation|ZOPA000001|{factory.now}"]
    ledger = create_ledger(bare_url, sealer, 2)
    assert await ledger.registry.past(0) == RegistryHistory({}, {})
    fence = (await ledger.jobs.lead("here", 60, factory.now)).fence
    await ledger.registry.apply(RegistryChanges({ONE.org_code: ONE}, {}, "1", "1"), fence, factory.now, judged=2)
    assert sql(bare_url, "SELECT count(*) FROM registry_away") == ["0"]
    await ledger.check()
    await ledger.close()
