"""Accounts: orders, executions, the ledger, risk, and who did what."""
