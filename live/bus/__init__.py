"""The event bus: one port, `live.bus.port.Bus`, and its adapters for Redis Streams and Kafka."""
