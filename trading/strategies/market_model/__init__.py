"""The market model: rolling beta, and thresholds that grow with the VIX."""
