"""What `doctor` looks at: this machine, and the project with its locks, tools and services."""
