"""Values that many tests of the chart are given, alone or over one another."""

from __future__ import annotations

from tests.charts.rendering import Values

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
