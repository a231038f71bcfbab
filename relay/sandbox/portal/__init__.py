"""The pretended portal (종합포털): serves 지원-001 to -006, keeps what it hears, and can be told to misbehave."""
