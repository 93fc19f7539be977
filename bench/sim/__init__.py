"""A fleet of gateways and endpoints in virtual time, around the pure rules of ``gateway/domain/resilience``."""
