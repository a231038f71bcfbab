"""Servers and devices that a state stops, slows or fills."""
