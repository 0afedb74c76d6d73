"""One verdict record, many views: text, JSON, JUnit."""
