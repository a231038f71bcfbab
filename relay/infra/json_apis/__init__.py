"""HTTP connections to institutions whose cores speak JSON of their own."""
