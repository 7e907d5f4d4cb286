"""The commands `trading lake`, one module each."""
