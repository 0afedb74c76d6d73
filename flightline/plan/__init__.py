"""What cannot work, said before anything is touched: over settings, facts, catalog; pure."""
