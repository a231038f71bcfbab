"""Floor 3: reads settings, builds the objects of each role, runs its process. It alone imports all packages."""
