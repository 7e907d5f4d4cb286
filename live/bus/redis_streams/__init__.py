"""The bus on Redis Streams, of Valkey or Redis."""
