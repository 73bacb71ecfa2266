output "cluster_role_arn" {
  description = "Role of the control plane."
  value       = aws_iam_role.cluster.arn

  # A control plane without its permissions cannot be made, nor cleanly destroyed.
  depends_on = [aws_iam_role_policy_attachment.cluster]
}

output "node_role_arn" {
  description = "Role of the nodes."
  value       = aws_iam_role.node.arn

  depends_on = [aws_iam_role_policy_attachment.node]
}

output "application_role_arn" {
  description = "Role of the application's service account: its eks.amazonaws.com/role-arn annotation under IRSA."
  value       = aws_iam_role.workload["application"].arn
}

output "cluster_autoscaler_role_arn" {
  description = "Role of the Cluster Autoscaler's service account."
  value       = aws_iam_role.workload["cluster-autoscaler"].arn
}

output "deploy_role_arn" {
  description = "Role that GitHub Actions takes to deploy; null when github is null."
  value       = one(aws_iam_role.deploy[*].arn)
}
