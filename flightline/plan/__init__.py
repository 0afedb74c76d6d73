"""What cannot work, said before anything is touched: pure functions over settings, facts, catalog."""
