"""The authority's unix socket from both sides: who owns it, whether it answers, whose call is next."""
