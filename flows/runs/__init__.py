"""What flows do around the domain call: work, accounts, progress, artifacts, commands."""
