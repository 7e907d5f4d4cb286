"""Values that many tests of the chart are given, alone or over one another."""

from __future__ import annotations

from tests.charts.rendering import Values, merged

REPLICATED: Values = {"server": {"replicas": 2}, "redis": {"existingSecret": "redis"}}
OWN_STORE: Values = {
    "storage": {"type": "s3", "inputDir": "s3://prices/hourly", "outputDir": "s3://results"}
}
SQLITE: Values = {"database": {"type": "sqlite"}, "worker": {"maxPartitionJobs": 4}}
EXTERNAL_DATABASE: Values = {
    "database": {"type": "external", "external": {"existingSecret": "database"}}
}
OWN_API: Values = {
    "prefect": {"apiUrl": "https://prefect.example.com/api", "apiKey": {"existingSecret": "key"}}
}
INGRESS: Values = {"server": {"ingress": {"enabled": True, "host": "prefect.example.com"}}}
MONITORED: Values = {
    "monitoring": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
}
SAMPLE: Values = {"sampleData": {"enabled": True}}
LIVE: Values = {
    "live": {
        "enabled": True,
        "database": {"existingSecret": "platform"},
        "bus": {"existingSecret": "bus"},
    }
}
"""The live side with made-up prices and orders on paper."""
LIVE_API: Values = merged(LIVE, {"live": {"api": {"enabled": True}}})
LIVE_INGRESS: Values = merged(
    LIVE_API, {"live": {"api": {"ingress": {"enabled": True, "host": "api.example.com"}}}}
)
AUTOSCALED: Values = merged(LIVE_API, {"live": {"api": {"autoscaling": {"enabled": True}}}})
NOTIFIED: Values = merged(LIVE, {"live": {"notifications": {"existingSecret": "channels"}}})
REPLAYED: Values = merged(LIVE, {"live": {"source": "replay"}})
VENDOR: Values = merged(
    LIVE, {"live": {"source": "polygon", "stream": {"existingSecret": "data-keys"}}}
)
BROKER: Values = merged(
    VENDOR,
    {"live": {"executor": {"broker": {"type": "alpaca", "existingSecret": "broker-keys"}}}},
)
"""Live prices, and orders to a paper account of a broker."""
SCRAPED: Values = merged(
    MONITORED,
    {"monitoring": {"serviceMonitor": {"apiKey": {"existingSecret": "reader"}}}},
    LIVE_API,
)
"""The live side watched by Prometheus."""
