"""The simulated portal (종합포털): serves 지원-001 to -006, records calls, and fails on command."""
