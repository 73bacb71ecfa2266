"""`make bench`: dry run, stage `image`, writer, publishing, verify, deploy, judging. Others have their own."""

from bench import deploy, dry_run, judging, publishing, stage, verify, writer

dry_run.main()
print()
stage.main([])
print()
writer.main([])
print()
publishing.main()
print()
verify.main([])
print()
deploy.main([])
print()
judging.main([])
