"""The image: what of its inputs it holds, and the bytes that it is written as."""
