data "aws_caller_identity" "current" {}

locals {
  account = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}"

  # The account administers its key by IAM; the control plane's role may use it and grant it on to EKS, nothing else.
  # In a key policy "*" is this key and no other (KMS developer guide, "Key policies in AWS KMS").
  secrets_key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountAdministers"
        Effect    = "Allow"
        Principal = { AWS = "${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "ControlPlaneUses"
        Effect    = "Allow"
        Principal = { AWS = var.role_arn }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"]
        Resource  = "*"
      },
      {
        Sid       = "ControlPlaneGrantsToEks"
        Effect    = "Allow"
        Principal = { AWS = var.role_arn }
        Action    = "kms:CreateGrant"
        Resource  = "*"
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
    ]
  })
}
