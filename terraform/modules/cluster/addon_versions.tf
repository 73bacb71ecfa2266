# Add-ons have the version that EKS gives to a new cluster of this minor version, so that an upgrade of the cluster is one of what
# runs in it. Nobody is asked about a version of Kubernetes that has ended.

data "aws_eks_addon_version" "default" {
  for_each = toset(local.offered ? ["amazon-cloudwatch-observability", "coredns", "eks-pod-identity-agent", "kube-proxy", "metrics-server", "vpc-cni"] : [])

  addon_name         = each.key
  kubernetes_version = var.kubernetes_version
}

locals {
  # Only a mocked provider's answer is no version.
  known_versions = { for name, found in data.aws_eks_addon_version.default : name => try(regex("^v[0-9]+\\.[0-9]+\\..*", found.version), null) }

  addon_versions = { for name, version in local.known_versions : name => version if version != null }
}
