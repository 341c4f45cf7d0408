"""The command line. Verbs are modules that are imported when they are called, so that `--help` is quick."""
