"""What the benchmarks in Python share: the provider, a measured process, a scraper and tables."""
