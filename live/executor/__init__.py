"""The executor: signals become orders, fills become positions, and the broker agrees."""
