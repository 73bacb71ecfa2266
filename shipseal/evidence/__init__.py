"""Evidence about an image: what is to be said of it, from what the stages have left."""
