"""Watches answers of institutions off the calls' way: samples them, checks them on a thread, counts broken rules."""
