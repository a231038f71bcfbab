"""All rules of the conformance kit by name."""

from collections.abc import Mapping
from typing import Final

from relay.policy.conformance.body_rules import BODY_RULES
from relay.policy.conformance.call_rules import CONSENT_RULES, ERROR_RULES, PAGE_RULES
from relay.policy.conformance.connection_rules import CONNECTION_RULES, HEADER_RULES, TLS_RULES
from relay.policy.conformance.rule import ConformanceRule

_TABLES: Final = (TLS_RULES, CONNECTION_RULES, HEADER_RULES, BODY_RULES, ERROR_RULES, PAGE_RULES, CONSENT_RULES)

RULES: Final[Mapping[str, ConformanceRule]] = {rule.name: rule for table in _TABLES for rule in table}
"""The rules in the order of reports."""
