"""Child processes, signals and limits of the process."""
