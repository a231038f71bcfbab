"""Tries an institution: connections with control of their bytes, and the cases of the conformance kit."""
