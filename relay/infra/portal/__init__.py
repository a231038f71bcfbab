"""Client of the portal (종합포털): token, calls, retries, and the client secrets it sends."""
