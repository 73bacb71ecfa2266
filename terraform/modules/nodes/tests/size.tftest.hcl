# A node group that stands, whose number of nodes is its own, and sizes that are changed around it.

mock_provider "aws" {
  override_resource {
    target = aws_eks_node_group.this
    values = {
      arn       = "arn:aws:eks:us-west-1:111122223333:nodegroup/a/b/c"
      resources = [{ autoscaling_groups = [{ name = "eks-nodes" }], remote_access_security_group_id = "" }]
    }
  }

  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", arn = "arn:aws:ec2:us-west-1:111122223333:launch-template/lt-0123456789abcdef0" }
  }

  mock_resource "aws_security_group" {
    defaults = { id = "sg-1", arn = "arn:aws:ec2:us-west-1:111122223333:security-group/sg-1" }
  }
}

variables {
  name                      = "service-production"
  cluster_name              = "service-production"
  kubernetes_version        = "1.35"
  cluster_security_group_id = "sg-2"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2"]
  role_arn                  = "arn:aws:iam::111122223333:role/service-production-node"
  addons                    = []
}

run "three_nodes" {
  command = apply

  variables {
    size = { min = 2, desired = 3, max = 4 }
  }
}

run "a_minimum_above_what_is_there_is_refused" {
  command = plan

  variables {
    size = { min = 4, desired = 4, max = 6 }
  }

  expect_failures = [aws_eks_node_group.this]
}

run "a_maximum_below_what_is_there_is_refused" {
  command = plan

  variables {
    size = { min = 1, desired = 1, max = 2 }
  }

  expect_failures = [aws_eks_node_group.this]
}

run "a_range_around_what_is_there_is_planned_and_the_number_left_alone" {
  command = plan

  variables {
    size = { min = 3, desired = 5, max = 6 }
  }

  assert {
    condition     = aws_eks_node_group.this.scaling_config[0] == { min_size = 3, desired_size = 3, max_size = 6 }
    error_message = "Only minimum and maximum are Terraform's."
  }
}
