mock_provider "aws" {
  mock_data "aws_default_tags" {
    defaults = { tags = { Project = "service", Environment = "production" } }
  }

  # t3.medium: three interfaces of six addresses, so 17 pods.
  mock_data "aws_ec2_instance_type" {
    defaults = { maximum_network_interfaces = 3, maximum_ipv4_addresses_per_interface = 6 }
  }

  mock_data "aws_ec2_instance_type_offerings" {
    defaults = { locations = ["us-west-1a", "us-west-1b"] }
  }

  # The autoscaling group's name is EKS's to choose, so a plan does not know it.
  override_resource {
    target          = aws_eks_node_group.this
    override_during = plan
    values = {
      resources = [{ autoscaling_groups = [{ name = "eks-nodes" }], remote_access_security_group_id = "" }]
    }
  }
}

variables {
  name                      = "service-production"
  cluster_name              = "service-production"
  kubernetes_version        = "1.35"
  cluster_security_group_id = "sg-1"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2"]
  zones                     = ["us-west-1a", "us-west-1b"]
  role_arn                  = "arn:aws:iam::111122223333:role/service-production-node"
}

run "the_architecture_is_the_default" {
  command = plan

  assert {
    condition     = aws_eks_node_group.this.instance_types == tolist(["t3.medium"]) && aws_eks_node_group.this.capacity_type == "ON_DEMAND"
    error_message = "Nodes are t3.medium on demand."
  }

  assert {
    condition     = aws_eks_node_group.this.scaling_config[0].min_size == 2 && aws_eks_node_group.this.scaling_config[0].desired_size == 2 && aws_eks_node_group.this.scaling_config[0].max_size == 4
    error_message = "Two nodes at least, two at first, four at most."
  }

  assert {
    condition     = aws_launch_template.nodes.block_device_mappings[0].ebs[0].volume_size == 50 && aws_launch_template.nodes.block_device_mappings[0].ebs[0].volume_type == "gp3" && aws_launch_template.nodes.block_device_mappings[0].ebs[0].encrypted == "true"
    error_message = "50 GB of encrypted gp3."
  }

  assert {
    condition     = aws_launch_template.nodes.metadata_options[0].http_tokens == "required" && aws_launch_template.nodes.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "IMDSv2 only, and not for pods."
  }

  assert {
    condition     = aws_eks_node_group.this.ami_type == "AL2023_x86_64_STANDARD"
    error_message = "Amazon Linux 2023."
  }

  assert {
    condition     = { for key, tag in aws_autoscaling_group_tag.cluster_autoscaler : key => tag.tag[0].value } == { "k8s.io/cluster-autoscaler/enabled" = "true", "k8s.io/cluster-autoscaler/service-production" = "owned" }
    error_message = "The Cluster Autoscaler finds the group by its tags."
  }

  assert {
    condition     = contains(keys(aws_eks_addon.on_nodes), "metrics-server")
    error_message = "The HorizontalPodAutoscaler has its metrics."
  }
}

run "whatever_ec2_makes_for_a_node_carries_the_providers_tags_and_a_name" {
  command = plan

  assert {
    condition = {
      for tags in aws_launch_template.nodes.tag_specifications : tags.resource_type => tags.tags
      } == {
      for kind in ["instance", "network-interface", "volume"] : kind => tomap({ Project = "service", Environment = "production", Name = "service-production-node" })
    }
    error_message = "Instances, interfaces and volumes can be told by environment on the bill."
  }
}

run "bottlerockets_volumes_are_sized_and_encrypted_both" {
  command = plan

  variables {
    ami_type = "BOTTLEROCKET_x86_64"
    disk_gb  = 60
  }

  assert {
    condition = {
      for device in aws_launch_template.nodes.block_device_mappings : device.device_name => [device.ebs[0].volume_size, device.ebs[0].encrypted, device.ebs[0].volume_type]
    } == { "/dev/xvda" = [4, "true", "gp3"], "/dev/xvdb" = [60, "true", "gp3"] }
    error_message = "disk_gb is the volume of images and logs, which is encrypted like the system's."
  }
}

run "amazon_linux_has_the_one_volume" {
  command = plan

  variables {
    ami_type      = "AL2023_ARM_64_STANDARD"
    instance_type = "t4g.medium"
  }

  assert {
    condition     = aws_launch_template.nodes.block_device_mappings[*].device_name == tolist(["/dev/xvda"])
    error_message = "Everything is on the root volume."
  }
}

run "add_ons_have_the_version_that_goes_with_the_clusters" {
  command = plan

  variables {
    addon_versions = { coredns = "v1.35.0-eksbuild.1", metrics-server = "v1.35.0-eksbuild.1", vpc-cni = "v1.35.1-eksbuild.1" }
  }

  assert {
    condition     = { for name, addon in aws_eks_addon.on_nodes : name => addon.addon_version } == { coredns = "v1.35.0-eksbuild.1", metrics-server = "v1.35.0-eksbuild.1" }
    error_message = "An upgrade of the cluster is an upgrade of what runs in it."
  }
}

run "an_image_of_another_architecture_than_the_type_is_refused" {
  command = plan

  variables {
    instance_type = "t4g.medium"
  }

  expect_failures = [aws_eks_node_group.this]
}

run "a_type_of_another_architecture_than_the_image_is_refused" {
  command = plan

  variables {
    ami_type = "AL2023_ARM_64_STANDARD"
  }

  expect_failures = [aws_eks_node_group.this]
}

run "a_g_before_the_generation_is_no_graviton" {
  command = plan

  variables {
    instance_type = "g4dn.xlarge"
  }

  assert {
    condition     = aws_eks_node_group.this.instance_types == tolist(["g4dn.xlarge"])
    error_message = "g4dn has a GPU and an x86 processor."
  }
}

run "a_type_that_a_zone_does_not_have_is_refused" {
  command = plan

  variables {
    zones = ["us-west-1a", "us-west-1c"]
  }

  expect_failures = [aws_eks_node_group.this]
}

run "nodes_too_small_for_the_add_ons_are_refused" {
  command = plan

  # t3.micro: two interfaces of two addresses, so 4 pods.
  override_data {
    target = data.aws_ec2_instance_type.node
    values = { maximum_network_interfaces = 2, maximum_ipv4_addresses_per_interface = 2 }
  }

  expect_failures = [aws_eks_node_group.this]
}

run "one_small_node_holds_the_add_ons" {
  command = plan

  # t3.small: three interfaces of four addresses, so 11 pods.
  override_data {
    target = data.aws_ec2_instance_type.node
    values = { maximum_network_interfaces = 3, maximum_ipv4_addresses_per_interface = 4 }
  }

  variables {
    size = { min = 1, desired = 1, max = 2 }
  }

  assert {
    condition     = aws_eks_node_group.this.scaling_config[0].min_size == 1
    error_message = "Five pods of the node and five of the cluster leave one."
  }
}

run "what_is_no_type_is_refused" {
  command = plan

  variables {
    instance_type = "medium"
  }

  expect_failures = [var.instance_type]
}

run "amazon_linux_2_is_refused_where_it_has_ended" {
  command = plan

  variables {
    ami_type = "AL2_x86_64"
  }

  expect_failures = [aws_eks_node_group.this]
}

run "amazon_linux_2_goes_with_the_architectures_version" {
  command = plan

  variables {
    ami_type           = "AL2_x86_64"
    kubernetes_version = "1.28"
  }

  assert {
    condition     = aws_eks_node_group.this.ami_type == "AL2_x86_64"
    error_message = "AL2 is there up to 1.32."
  }
}

run "a_minimum_above_the_maximum_is_refused" {
  command = plan

  variables {
    size = { min = 4, desired = 4, max = 2 }
  }

  expect_failures = [var.size]
}

run "a_beginning_outside_the_range_is_refused" {
  command = plan

  variables {
    size = { min = 2, desired = 5, max = 4 }
  }

  expect_failures = [var.size]
}

run "no_node_at_all_is_refused" {
  command = plan

  variables {
    size = { min = 0, desired = 0, max = 4 }
  }

  expect_failures = [var.size]
}

run "an_unknown_capacity_is_refused" {
  command = plan

  variables {
    capacity_type = "RESERVED"
  }

  expect_failures = [var.capacity_type]
}

run "a_disk_smaller_than_the_ami_is_refused" {
  command = plan

  variables {
    disk_gb = 8
  }

  expect_failures = [var.disk_gb]
}

run "a_disk_larger_than_a_gp3_volume_is_refused" {
  command = plan

  variables {
    disk_gb = 20000
  }

  expect_failures = [var.disk_gb]
}

run "an_unknown_operating_system_is_refused" {
  command = plan

  variables {
    ami_type = "CUSTOM"
  }

  expect_failures = [var.ami_type]
}
