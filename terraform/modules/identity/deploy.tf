# The role that GitHub Actions takes to deploy: one repository, one environment, one cluster, no stored key.
# What it may do inside the cluster is an access entry's matter (module cluster).

data "aws_iam_openid_connect_provider" "github" {
  count = var.github == null ? 0 : 1

  url = "https://token.actions.githubusercontent.com"
}

resource "aws_iam_role" "deploy" {
  count = var.github == null ? 0 : 1

  name                 = "${var.name}-deploy"
  description          = "Deploys from ${var.github.repository}, environment ${var.github.environment}"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = data.aws_iam_openid_connect_provider.github[0].arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "repo:${var.github.repository}:environment:${var.github.environment}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "deploy" {
  count = var.github == null ? 0 : 1

  name = "find-cluster"
  role = aws_iam_role.deploy[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "eks:DescribeCluster"
      Resource = local.cluster_arn
    }]
  })
}
