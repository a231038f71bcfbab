"""The portal (종합포털) at the other end of a line: token, calls, retries, and the secrets it tells."""
