# The CloudWatch agent on every node, with a role that it alone can take, and an end to how long its logs are kept.

locals {
  agent = { namespace = "amazon-cloudwatch", service_account = "cloudwatch-agent" }
}

resource "aws_cloudwatch_log_group" "insights" {
  for_each = toset(["application", "dataplane", "host", "performance"])

  name              = "/aws/containerinsights/${var.cluster_name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.logs.arn
}

resource "aws_iam_role" "agent" {
  name        = "${var.name}-cloudwatch-agent"
  description = "CloudWatch agent in ${var.cluster_name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:SourceAccount"                         = local.account_id
          "aws:RequestTag/kubernetes-namespace"       = local.agent.namespace
          "aws:RequestTag/kubernetes-service-account" = local.agent.service_account
        }
        ArnEquals = { "aws:SourceArn" = "arn:${local.partition}:eks:${local.region}:${local.account_id}:cluster/${var.cluster_name}" }
      }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "agent" {
  role       = aws_iam_role.agent.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/CloudWatchAgentServerPolicy"
}

resource "aws_eks_pod_identity_association" "agent" {
  cluster_name    = var.cluster_name
  namespace       = local.agent.namespace
  service_account = local.agent.service_account
  role_arn        = aws_iam_role.agent.arn
}

resource "aws_eks_addon" "agent" {
  cluster_name                = var.cluster_name
  addon_name                  = "amazon-cloudwatch-observability"
  addon_version               = var.addon_version
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [
    aws_cloudwatch_log_group.insights,
    aws_eks_pod_identity_association.agent,
    aws_iam_role_policy_attachment.agent,
  ]
}
