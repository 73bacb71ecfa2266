# The EKS control plane, its add-ons that must be there before a node is, and who may speak to it.

data "aws_partition" "current" {}

locals {
  # What EKS offers, with the last day of standard support where AWS has named it
  # (EKS user guide, "Understand the Kubernetes version lifecycle on EKS").
  offered_versions = {
    "1.34" = "2026-12-02"
    "1.35" = "2027-03-27"
    "1.36" = "not announced when this was written"
  }

  offered = contains(keys(local.offered_versions), var.kubernetes_version)
}

# The cluster as it is before this plan; none before the first.
data "aws_eks_clusters" "standing" {}

data "aws_eks_cluster" "standing" {
  count = contains(data.aws_eks_clusters.standing.names, var.name) ? 1 : 0

  name = var.name
}

data "aws_subnet" "standing" {
  for_each = toset(try(data.aws_eks_cluster.standing[0].vpc_config[0].subnet_ids, []))

  id = each.key
}

locals {
  standing_zones   = toset(values(data.aws_subnet.standing)[*].availability_zone)
  standing_version = try(data.aws_eks_cluster.standing[0].version, var.kubernetes_version)

  # EKS goes up by one minor version, and never back.
  steps = try(tonumber(split(".", var.kubernetes_version)[1]) - tonumber(split(".", local.standing_version)[1]), 0)
}

resource "aws_kms_key" "secrets" {
  description             = "Envelope encryption of Kubernetes secrets in ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.secrets_key_policy
}

resource "aws_kms_alias" "secrets" {
  name          = "alias/${var.name}/secrets"
  target_key_id = aws_kms_key.secrets.key_id
}

# EKS would make this group itself, unencrypted and kept for ever.
resource "aws_cloudwatch_log_group" "control_plane" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

resource "aws_eks_cluster" "this" {
  name     = var.name
  role_arn = var.role_arn
  version  = var.kubernetes_version

  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  # vpc-cni, kube-proxy and coredns are add-ons below, in versions that Terraform knows of.
  bootstrap_self_managed_addons = false

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.secrets.arn
    }
  }

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  lifecycle {
    precondition {
      condition     = var.allow_ended_version || local.offered
      error_message = "EKS does not offer Kubernetes ${var.kubernetes_version}. Set kubernetes_version to one of: ${join(", ", keys(local.offered_versions))}. AWS refuses the architecture's 1.28 since its extended support ended on 2025-11-26; to plan it all the same, for reading, set allow_ended_version = true."
    }

    precondition {
      condition     = var.allow_ended_version || local.steps == 0 || local.steps == 1
      error_message = "${var.name} runs Kubernetes ${local.standing_version}: EKS goes up by one minor version at a time, and never back, so it would refuse ${var.kubernetes_version}. Set kubernetes_version to ${local.standing_version} or the one after it (docs/runbooks/cluster-upgrade.md)."
    }

    precondition {
      condition     = length(var.zones) == 0 || length(local.standing_zones) == 0 || local.standing_zones == toset(var.zones)
      error_message = "${var.name} stands in ${join(", ", local.standing_zones)}, and EKS keeps a cluster in the very zones that it was made in. Leave zones as they are; for others, make an environment of another name and move the DNS record."
    }
  }

  depends_on = [aws_cloudwatch_log_group.control_plane]
}

# Lets Kubernetes service accounts be trusted by IAM roles (IRSA). AWS checks the certificate by its own trust store.
resource "aws_iam_openid_connect_provider" "cluster" {
  url            = aws_eks_cluster.this.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]

  tags = { Name = var.name }
}

resource "aws_eks_addon" "vpc_cni" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "vpc-cni"
  addon_version               = lookup(local.addon_versions, "vpc-cni", null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  # Without it NetworkPolicy objects are accepted and do nothing.
  configuration_values = jsonencode({ enableNetworkPolicy = "true" })
}

resource "aws_eks_addon" "before_nodes" {
  for_each = toset(["kube-proxy", "eks-pod-identity-agent"])

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = lookup(local.addon_versions, each.key, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_access_entry" "this" {
  for_each = var.access

  cluster_name      = aws_eks_cluster.this.name
  principal_arn     = each.value.principal_arn
  kubernetes_groups = each.value.groups

  tags = { Name = substr(each.key, 0, 256) } # the longest that AWS takes
}

# Whose rights are RBAC's, in the cluster, has a group and no policy.
resource "aws_eks_access_policy_association" "this" {
  for_each = { for name, entry in var.access : name => entry if entry.policy != null }

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.this[each.key].principal_arn
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/AmazonEKS${each.value.policy}Policy"

  access_scope {
    type       = length(each.value.namespaces) > 0 ? "namespace" : "cluster"
    namespaces = each.value.namespaces
  }
}
