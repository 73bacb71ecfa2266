# Where the state of everything else is kept and locked. Applied once for each region, first with its own state on disk
# (docs/runbooks/first-set-up.md).

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = var.project
      Environment = "bootstrap"
      ManagedBy   = "terraform"
    }
  }
}

data "aws_caller_identity" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  bucket     = coalesce(var.bucket, "${var.project}-state-${local.account_id}-${var.region}")
}

resource "aws_s3_bucket" "state" {
  # checkov:skip=CKV2_AWS_62: nobody acts on the writing of a state
  # checkov:skip=CKV_AWS_18: CloudTrail's data events are the record of who read a state; a log bucket would need a bootstrap of its own
  # checkov:skip=CKV_AWS_144: each region has a bucket and states of its own, so that neither needs the other
  # checkov:skip=CKV_AWS_145: AES-256 is the architecture's; with a customer key the state could not be read where the key is lost
  bucket = local.bucket

  lifecycle {
    prevent_destroy = true

    # Names of buckets are shared by every account there is, and nothing tells at plan who has which:
    # a name with one's own account number in it is the one that nobody else has a reason to hold.
    precondition {
      condition     = strcontains(local.bucket, local.account_id)
      error_message = "The name ${local.bucket} may be taken by anyone, and the apply would fail. Leave bucket unset, or put the account number ${local.account_id} into it."
    }
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.old_version_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.state]
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.state]
}

# Terraform 1.11 locks by a file in the bucket and calls the table deprecated. Both are taken: older clients know only this one.
resource "aws_dynamodb_table" "locks" {
  # checkov:skip=CKV_AWS_119: encrypted with AWS's own KMS key; it holds names of locks and sums, no secrets
  name                        = "${var.project}-locks"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "LockID"
  deletion_protection_enabled = true

  attribute {
    name = "LockID"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }
}

# An account has one provider for GitHub, whatever the number of regions, so it is here and not with the clusters.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_oidc ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}
