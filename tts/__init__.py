"""What is said: text in, speech out."""
