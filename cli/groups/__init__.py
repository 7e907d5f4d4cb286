"""The command line: what each command takes, in words; what it does is in `cli.commands`."""
