"""Brokers: who takes our orders and keeps our positions; one protocol for all."""
