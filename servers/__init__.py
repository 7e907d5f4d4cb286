"""Servers on this machine, from wheels: started, watched and stopped."""
