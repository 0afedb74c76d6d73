"""What pyinfra lacks to change on a node; each yields only the difference."""
