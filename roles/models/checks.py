"""What must hold, once the role was applied."""
