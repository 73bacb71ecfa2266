"""What is said of an image, as in-toto statements: made, and read."""
