"""Settings taken anew while a process runs."""
