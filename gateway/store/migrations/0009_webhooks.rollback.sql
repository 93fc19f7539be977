DROP TABLE webhooks_disabled;
