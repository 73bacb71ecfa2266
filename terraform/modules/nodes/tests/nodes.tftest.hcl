mock_provider "aws" {
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

run "an_unknown_operating_system_is_refused" {
  command = plan

  variables {
    ami_type = "CUSTOM"
  }

  expect_failures = [var.ami_type]
}
