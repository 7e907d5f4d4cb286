"""Notification channels: mail, Slack, SNS, webhooks and what else Apprise reaches."""
