"""What strategies see of a series live: the lake's bars, and live ones after them."""
