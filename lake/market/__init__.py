"""The main pipeline's datasets: its input files, its results, its portfolio and report."""
