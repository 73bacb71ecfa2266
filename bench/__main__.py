"""`make bench`: the dry run, the stage `image`, then the writer. The service and engines have their own benchmarks."""

from bench import dry_run, stage, writer

dry_run.main()
print()
stage.main([])
print()
writer.main([])
