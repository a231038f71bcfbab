"""Support APIs that the relay offers to the portal (종합포털): 지원-101..104, behind the gateway (규격 5.2)."""
