"""What is in the image, and what is known to be vulnerable."""
