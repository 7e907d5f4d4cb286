"""What the commands about accounts do: orders, positions, risk, paper accounts."""
