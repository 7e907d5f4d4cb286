"""What the commands `trading lake` do."""
