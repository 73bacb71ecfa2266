"""Keep pytest away from the samples' own tests: the pipeline runs those, in an environment of their own."""

collect_ignore_glob = ["*"]
