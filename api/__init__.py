"""REST, WebSocket and the desk."""
