"""Build, scan, judge, sign, publish, read back and verify one image, and deploy exactly those bytes."""
