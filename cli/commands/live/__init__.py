"""What the commands about processes that run all day do."""
