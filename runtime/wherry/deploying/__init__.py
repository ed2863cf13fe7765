"""What a deployment changes, and whether what is stored fits the new code."""
