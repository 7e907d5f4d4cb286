"""The bus on Kafka, for those who outgrow one machine: any broker with Kafka's interface."""
