"""The full names of the six deployments, `flow/deployment`, as `prefect.yaml` defines them."""

INGEST_MARKET_DATA = "ingest-market-data/ingest-market-data"
VALIDATE_DATA = "validate-data/validate-data"
ORCHESTRATOR = "trading-orchestrator/orchestrator"
ANALYZE_SYMBOL = "analyze-symbol/analyze-symbol"
ANALYZE_TIME_PARTITION = "analyze-time-partition/analyze-time-partition"
AGGREGATE_PORTFOLIO = "aggregate-portfolio/aggregate-portfolio"
