"""What pyinfra lacks to read from a node; one command and one pure parser each."""
