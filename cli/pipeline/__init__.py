"""Running the pipeline for a command, and reporting the outcome."""
