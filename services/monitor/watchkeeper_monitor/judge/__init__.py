"""What is stored becomes measurements and breaches, and what is old is ended."""
