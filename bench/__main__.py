"""`make bench`: the dry run, the stage `image`, then the writer. The service and the engines have benchmarks of their own."""

from bench import dry_run, stage, writer

dry_run.main()
print()
stage.main([])
print()
writer.main([])
