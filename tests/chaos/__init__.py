"""The contract of degraded states: a table of states, and a program that produces each with real servers."""
