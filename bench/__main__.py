"""`make bench`: dry run, stage `image`, writer, deploy, one after the other. Service and engines have their own."""

from bench import deploy, dry_run, stage, writer

dry_run.main()
print()
stage.main([])
print()
writer.main([])
print()
deploy.main([])
