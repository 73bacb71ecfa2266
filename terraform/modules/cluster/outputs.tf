output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_eks_cluster.this.arn
}

output "endpoint" {
  description = "Address of the API server."
  value       = aws_eks_cluster.this.endpoint
}

output "version" {
  description = "Minor version of Kubernetes that runs."
  value       = aws_eks_cluster.this.version
}

output "addon_versions" {
  description = "Version of each EKS add-on that goes with this version of Kubernetes."
  value       = local.addon_versions
}

output "security_group_id" {
  description = "Security group that EKS made for traffic between control plane and nodes."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "oidc_provider_arn" {
  description = "OIDC provider of the cluster's service accounts."
  value       = aws_iam_openid_connect_provider.cluster.arn
}

output "oidc_issuer" {
  description = "Issuer of the cluster's service account tokens, without https://."
  value       = trimprefix(aws_eks_cluster.this.identity[0].oidc[0].issuer, "https://")
}

output "ready_for_nodes" {
  description = "Name of the cluster, known once what nodes need to join is there."
  value       = aws_eks_cluster.this.name

  depends_on = [aws_eks_addon.vpc_cni, aws_eks_addon.before_nodes]
}
