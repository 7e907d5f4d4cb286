"""What the API keeps of its own, and how it reads the other tables."""
