"""The CSV upload: one HTTP body becomes one client stream."""
