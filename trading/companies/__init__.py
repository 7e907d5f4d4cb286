"""What is known of companies, and since when."""
