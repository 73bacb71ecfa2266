# A managed node group in the private subnets, between the sizes that the Cluster Autoscaler may choose.

# What the provider puts on everything that it makes; instances, volumes and interfaces are made by EC2, which asks the template.
data "aws_default_tags" "provider" {}

locals {
  # Bottlerocket keeps images, logs and what pods write on the second volume; the first is the system's, of at most 4 GB.
  volumes = merge(
    { "/dev/xvda" = startswith(var.ami_type, "BOTTLEROCKET_") ? 4 : var.disk_gb },
    startswith(var.ami_type, "BOTTLEROCKET_") ? { "/dev/xvdb" = var.disk_gb } : {},
  )
}

resource "aws_security_group" "nodes" {
  name        = "${var.name}-nodes"
  description = "Nodes: who may reach their NodePort. The cluster's own group carries everything else."
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-nodes" }
}

resource "aws_launch_template" "nodes" {
  name                   = "${var.name}-nodes"
  description            = "Encrypted gp3 volumes, IMDSv2 that pods cannot reach"
  update_default_version = true
  vpc_security_group_ids = [var.cluster_security_group_id, aws_security_group.nodes.id]

  dynamic "block_device_mappings" {
    for_each = local.volumes

    content {
      device_name = block_device_mappings.key

      ebs {
        volume_size           = block_device_mappings.value
        volume_type           = "gp3"
        encrypted             = true
        delete_on_termination = true
      }
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
    for_each = toset(["instance", "network-interface", "volume"])

    content {
      resource_type = tag_specifications.key
      tags          = merge(data.aws_default_tags.provider.tags, { Name = "${var.name}-node" })
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

    precondition {
      condition     = local.architecture == local.ami_architecture
      error_message = "${var.instance_type} is ${local.architecture}, ${var.ami_type} is for ${local.ami_architecture}: EKS would refuse the node group once the cluster stands. Set ami_type to one for ${local.architecture}, or instance_type to one that is ${local.ami_architecture}."
    }

    precondition {
      condition     = length(local.without_type) == 0
      error_message = "EC2 offers no ${var.instance_type} in ${join(", ", local.without_type)}. Set instance_type to one that is offered in each of zones, or zones to some of: ${join(", ", sort(data.aws_ec2_instance_type_offerings.node.locations))}."
    }

    precondition {
      condition     = local.interfaces == 0 || var.size.min * (local.pods_of_node - local.pods_on_every_node) >= local.pods_of_cluster
      error_message = "A ${var.instance_type} holds ${local.pods_of_node} pods, of which ${local.pods_on_every_node} are on every node; ${var.size.min} of them leave no room for the ${local.pods_of_cluster} of the add-ons, which EKS would wait for in vain. Set instance_type to a larger one, or size.min to more nodes."
    }

    # After the first apply this number is the group's own, so a new minimum or maximum may leave it outside.
    postcondition {
      condition     = self.scaling_config[0].desired_size >= var.size.min && self.scaling_config[0].desired_size <= var.size.max
      error_message = "The number of nodes is ${self.scaling_config[0].desired_size} now, which is not between ${var.size.min} and ${var.size.max}: EKS would refuse that in the middle of the apply. Give it all three numbers at once, then plan again (docs/runbooks/node-size.md): aws eks update-nodegroup-config --cluster-name ${var.cluster_name} --nodegroup-name ${var.name}-nodes --scaling-config minSize=${var.size.min},maxSize=${var.size.max},desiredSize=${max(var.size.min, min(var.size.max, self.scaling_config[0].desired_size))}"
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
  addon_version               = lookup(var.addon_versions, each.key, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

locals {
  autoscaling_group_name = aws_eks_node_group.this.resources[0].autoscaling_groups[0].name
}
