"""The Vegas channel: a short pair of averages above or below a long one."""
