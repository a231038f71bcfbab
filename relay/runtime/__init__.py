"""Floor 3: the only place where everything is known: settings in, planes assembled, processes served."""
