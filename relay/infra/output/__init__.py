"""Lines for people and programs: access records and logs, written by threads that nothing else waits for."""
