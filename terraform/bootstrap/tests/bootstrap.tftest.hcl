mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

run "the_state_is_kept_as_the_architecture_says" {
  command = plan

  assert {
    condition     = aws_s3_bucket.state.bucket == "simpletimeservice-state-111122223333-us-west-1"
    error_message = "The bucket's name is the account's own."
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "Every version is kept."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.state.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "AES-256."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.state.rule[0].noncurrent_version_expiration[0].noncurrent_days == 90
    error_message = "Old versions are kept for 90 days."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.state.block_public_acls && aws_s3_bucket_public_access_block.state.block_public_policy && aws_s3_bucket_public_access_block.state.ignore_public_acls && aws_s3_bucket_public_access_block.state.restrict_public_buckets
    error_message = "Nothing is public."
  }

  assert {
    condition     = aws_dynamodb_table.locks.hash_key == "LockID" && aws_dynamodb_table.locks.deletion_protection_enabled && aws_dynamodb_table.locks.point_in_time_recovery[0].enabled
    error_message = "A lock table that can be recovered and not deleted."
  }
}

run "a_second_region_leaves_the_accounts_provider_alone" {
  command = plan

  variables {
    region      = "us-west-2"
    github_oidc = false
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && aws_s3_bucket.state.bucket == "simpletimeservice-state-111122223333-us-west-2"
    error_message = "A bucket of its own, and no second provider."
  }
}

run "a_bucket_name_that_anyone_may_hold_is_refused" {
  command = plan

  variables {
    bucket = "state"
  }

  expect_failures = [aws_s3_bucket.state]
}

run "a_project_that_makes_no_bucket_name_is_refused" {
  command = plan

  variables {
    project = "My Project"
  }

  expect_failures = [var.project]
}

run "a_short_memory_is_refused" {
  command = plan

  variables {
    old_version_days = 7
  }

  expect_failures = [var.old_version_days]
}

run "a_name_that_no_bucket_can_have_is_refused" {
  command = plan

  variables {
    bucket = "State_111122223333"
  }

  expect_failures = [var.bucket]
}
