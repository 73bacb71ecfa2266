mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

variables {
  name        = "service-production"
  role_arn    = "arn:aws:iam::111122223333:role/service-production-cluster"
  subnet_ids  = ["subnet-1", "subnet-2"]
  log_key_arn = "arn:aws:kms:us-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
}

run "the_cluster_is_private_current_and_on_record" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.version == "1.35"
    error_message = "The default version is 1.35, the one that AWS gives by default."
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The API server is private unless networks are named."
  }

  assert {
    condition     = toset(aws_eks_cluster.this.enabled_cluster_log_types) == toset(["api", "audit", "authenticator", "controllerManager", "scheduler"])
    error_message = "Every log of the control plane is kept."
  }

  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"]) && aws_kms_key.secrets.enable_key_rotation
    error_message = "Secrets are encrypted with a key that rotates."
  }

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Access is by access entries only, not by aws-auth nor by having made the cluster."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.vpc_cni.configuration_values).enableNetworkPolicy == "true"
    error_message = "vpc-cni enforces NetworkPolicy."
  }

  assert {
    condition     = aws_cloudwatch_log_group.control_plane.name == "/aws/eks/service-production/cluster"
    error_message = "The log group has the name that EKS writes to."
  }
}

run "named_networks_open_the_endpoint_to_themselves" {
  command = plan

  variables {
    public_access_cidrs = ["203.0.113.0/24"]
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"])
    error_message = "The endpoint is public for the named networks only."
  }
}

run "access_is_an_entry_and_a_policy_in_a_namespace" {
  command = plan

  variables {
    access = { deploy = { principal_arn = "arn:aws:iam::111122223333:role/deploy", policy = "Edit", namespaces = ["service"] } }
  }

  assert {
    condition     = aws_eks_access_policy_association.this["deploy"].policy_arn == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"
    error_message = "Edit is AmazonEKSEditPolicy."
  }

  assert {
    condition     = aws_eks_access_policy_association.this["deploy"].access_scope[0].type == "namespace"
    error_message = "A policy with namespaces holds in them only."
  }
}

run "the_architectures_version_is_refused" {
  command = plan

  variables {
    kubernetes_version = "1.28"
  }

  expect_failures = [aws_eks_cluster.this]
}

run "the_architectures_version_can_be_planned_on_purpose" {
  command = plan

  variables {
    kubernetes_version  = "1.28"
    allow_ended_version = true
  }

  assert {
    condition     = aws_eks_cluster.this.version == "1.28"
    error_message = "The override plans 1.28."
  }
}

run "a_version_that_is_none_is_refused" {
  command = plan

  variables {
    kubernetes_version = "latest"
  }

  expect_failures = [var.kubernetes_version]
}

run "an_open_public_endpoint_is_refused" {
  command = plan

  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "half_of_the_internet_is_refused_too" {
  command = plan

  variables {
    public_access_cidrs = ["0.0.0.0/1", "128.0.0.0/1"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "a_network_that_is_none_is_refused" {
  command = plan

  variables {
    public_access_cidrs = ["203.0.113.999/24"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "one_subnet_is_refused" {
  command = plan

  variables {
    subnet_ids = ["subnet-1"]
  }

  expect_failures = [var.subnet_ids]
}

run "an_unknown_policy_is_refused" {
  command = plan

  variables {
    access = { root = { principal_arn = "arn:aws:iam::111122223333:role/root", policy = "Root" } }
  }

  expect_failures = [var.access]
}

run "a_cluster_administrator_of_a_namespace_is_refused" {
  command = plan

  variables {
    access = { admin = { principal_arn = "arn:aws:iam::111122223333:role/admin", policy = "ClusterAdmin", namespaces = ["service"] } }
  }

  expect_failures = [var.access]
}
