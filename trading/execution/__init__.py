"""From signals to orders as they happen: what is wanted, what is known, what differs."""
