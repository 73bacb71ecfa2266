"""`make bench`: the dry run, then the writer. The service and the engines have benchmarks of their own."""

from bench import dry_run, writer

dry_run.main()
print()
writer.main([])
