"""The processes of the live side, one command each: `trading live stream`, `windows`, ..."""
