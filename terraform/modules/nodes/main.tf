# A managed node group in the private subnets, between the sizes that the Cluster Autoscaler may choose.

resource "aws_security_group" "nodes" {
  name        = "${var.name}-nodes"
  description = "Nodes: who may reach their NodePort. The cluster's own group carries everything else."
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-nodes" }
}

resource "aws_launch_template" "nodes" {
  name                   = "${var.name}-nodes"
  description            = "Encrypted gp3 volume, IMDSv2 that pods cannot reach"
  update_default_version = true
  vpc_security_group_ids = [var.cluster_security_group_id, aws_security_group.nodes.id]

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = var.disk_gb
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  # One hop ends at the node: a pod that asks for the node's credentials gets no answer.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])

    content {
      resource_type = tag_specifications.key
      tags          = { Name = "${var.name}-node" }
    }
  }
}

resource "aws_eks_node_group" "this" {
  cluster_name    = var.cluster_name
  node_group_name = "${var.name}-nodes"
  node_role_arn   = var.role_arn
  subnet_ids      = var.subnet_ids
  version         = var.kubernetes_version
  ami_type        = var.ami_type
  capacity_type   = var.capacity_type
  instance_types  = [var.instance_type]

  scaling_config {
    min_size     = var.size.min
    desired_size = var.size.desired
    max_size     = var.size.max
  }

  update_config {
    max_unavailable = 1
  }

  launch_template {
    id      = aws_launch_template.nodes.id
    version = aws_launch_template.nodes.latest_version
  }

  lifecycle {
    # From here on the number of nodes is the Cluster Autoscaler's.
    ignore_changes = [scaling_config[0].desired_size]

    precondition {
      condition     = var.ami_type != "AL2_x86_64" || try(tonumber(split(".", var.kubernetes_version)[1]) <= 32, false)
      error_message = "Amazon Linux 2 has no AMI for Kubernetes ${var.kubernetes_version}: AWS ended it on 2025-11-26, its last was for 1.32. Set ami_type = \"AL2023_x86_64_STANDARD\"."
    }
  }
}

# Cluster Autoscaler finds the group by these. EKS sets the same two; written down, a change of them is a change in a plan.
resource "aws_autoscaling_group_tag" "cluster_autoscaler" {
  for_each = {
    "k8s.io/cluster-autoscaler/enabled"             = "true"
    "k8s.io/cluster-autoscaler/${var.cluster_name}" = "owned"
  }

  autoscaling_group_name = local.autoscaling_group_name

  tag {
    key                 = each.key
    value               = each.value
    propagate_at_launch = false
  }
}

resource "aws_eks_addon" "on_nodes" {
  for_each = var.addons

  cluster_name                = aws_eks_node_group.this.cluster_name
  addon_name                  = each.key
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

locals {
  autoscaling_group_name = aws_eks_node_group.this.resources[0].autoscaling_groups[0].name
}
