"""The medium against a plain model of it."""
