"""Files of the settings: read without waiting for a writer, and off the event loop."""
