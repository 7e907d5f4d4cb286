"""What keeps an installation in order: the end of the day, health, backups, clean-up."""
