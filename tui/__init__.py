"""The terminal UI: a second front end on the headless core, which knows nothing of it."""
