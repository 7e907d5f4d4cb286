"""The command `trading`: `commands/` one module per command, `display/` what users see."""
