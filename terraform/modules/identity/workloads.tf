# Roles that pods take, each for exactly one service account.

locals {
  workloads = {
    application = {
      namespace       = var.application.namespace
      service_account = var.application.service_account
      policy          = var.application.policy
    }
    cluster-autoscaler = {
      namespace       = "kube-system"
      service_account = "cluster-autoscaler"
      policy          = local.cluster_autoscaler_policy
    }
  }

  trust = {
    for name, workload in local.workloads : name => {
      irsa = {
        Effect    = "Allow"
        Principal = { Federated = var.oidc_provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${var.oidc_issuer}:aud" = "sts.amazonaws.com"
            "${var.oidc_issuer}:sub" = "system:serviceaccount:${workload.namespace}:${workload.service_account}"
          }
        }
      }
      pod-identity = {
        Effect    = "Allow"
        Principal = { Service = "pods.eks.amazonaws.com" }
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Condition = {
          StringEquals = {
            "aws:SourceAccount"                         = local.account_id
            "aws:RequestTag/kubernetes-namespace"       = workload.namespace
            "aws:RequestTag/kubernetes-service-account" = workload.service_account
          }
          ArnEquals = { "aws:SourceArn" = local.cluster_arn }
        }
      }
    }
  }

  # Reading cannot be narrowed: these actions take no resource. Changing is for groups that carry this cluster's tag.
  cluster_autoscaler_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "SeeGroups"
        Effect = "Allow"
        Action = [
          "autoscaling:DescribeAutoScalingGroups",
          "autoscaling:DescribeAutoScalingInstances",
          "autoscaling:DescribeLaunchConfigurations",
          "autoscaling:DescribeScalingActivities",
          "autoscaling:DescribeTags",
          "ec2:DescribeImages",
          "ec2:DescribeInstanceTypes",
          "ec2:DescribeLaunchTemplateVersions",
          "ec2:GetInstanceTypesFromInstanceRequirements",
        ]
        Resource = "*"
      },
      {
        Sid      = "SeeNodeGroups"
        Effect   = "Allow"
        Action   = "eks:DescribeNodegroup"
        Resource = "arn:${local.partition}:eks:${local.region}:${local.account_id}:nodegroup/${var.cluster_name}/*"
      },
      {
        Sid      = "ResizeOwnGroups"
        Effect   = "Allow"
        Action   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
        Resource = "arn:${local.partition}:autoscaling:${local.region}:${local.account_id}:autoScalingGroup:*:autoScalingGroupName/*"
        Condition = {
          StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.cluster_name}" = "owned" }
        }
      },
    ]
  })
}

resource "aws_iam_role" "workload" {
  for_each = local.workloads

  name        = "${var.name}-${each.key}"
  description = "Service account ${each.value.namespace}/${each.value.service_account} in ${var.cluster_name}"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [local.trust[each.key][var.workload_identity]]
  })
}

resource "aws_iam_role_policy" "workload" {
  for_each = { for name, workload in local.workloads : name => workload if workload.policy != null }

  name   = each.key
  role   = aws_iam_role.workload[each.key].id
  policy = each.value.policy
}

resource "aws_eks_pod_identity_association" "workload" {
  for_each = var.workload_identity == "pod-identity" ? local.workloads : {}

  cluster_name    = var.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.workload[each.key].arn
}
