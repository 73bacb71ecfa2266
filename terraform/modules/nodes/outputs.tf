output "security_group_id" {
  description = "Security group of the nodes, for whoever may reach a NodePort."
  value       = aws_security_group.nodes.id
}

output "autoscaling_group_name" {
  description = "Autoscaling group behind the node group."
  value       = local.autoscaling_group_name
}

output "node_group_name" {
  description = "Managed node group."
  value       = aws_eks_node_group.this.node_group_name
}

output "cluster_name" {
  description = "Name of the cluster, known once it has nodes."
  value       = aws_eks_node_group.this.cluster_name
}
