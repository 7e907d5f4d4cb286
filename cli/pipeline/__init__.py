"""Running the pipeline for a command, and looking at what came of it."""
