"""Parts that tests of leases share."""
