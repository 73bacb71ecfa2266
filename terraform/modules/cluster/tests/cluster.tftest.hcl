mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_eks_addon_version" {
    defaults = { version = "v1.35.0-eksbuild.1" }
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

run "access_by_a_group_is_an_entry_and_no_policy" {
  command = plan

  variables {
    access = { deploy = { principal_arn = "arn:aws:iam::111122223333:role/deploy", groups = ["deployers"] } }
  }

  assert {
    condition     = aws_eks_access_entry.this["deploy"].kubernetes_groups == toset(["deployers"]) && length(aws_eks_access_policy_association.this) == 0
    error_message = "What the group may do is for RBAC in the cluster to say, and nothing else gives it more."
  }
}

run "access_that_gives_nothing_is_refused" {
  command = plan

  variables {
    access = { deploy = { principal_arn = "arn:aws:iam::111122223333:role/deploy" } }
  }

  expect_failures = [var.access]
}

run "a_group_that_eks_keeps_for_itself_is_refused" {
  command = plan

  variables {
    access = { deploy = { principal_arn = "arn:aws:iam::111122223333:role/deploy", groups = ["system:masters"] } }
  }

  expect_failures = [var.access]
}

run "add_ons_have_the_version_that_goes_with_the_clusters" {
  command = plan

  assert {
    condition     = toset([for addon in concat([aws_eks_addon.vpc_cni], values(aws_eks_addon.before_nodes)) : addon.addon_version]) == toset(["v1.35.0-eksbuild.1"])
    error_message = "An upgrade of the cluster is an upgrade of what runs in it."
  }

  assert {
    condition     = toset([for found in data.aws_eks_addon_version.default : found.kubernetes_version]) == toset(["1.35"]) && length(setsubtract(["coredns", "metrics-server", "amazon-cloudwatch-observability"], keys(output.addon_versions))) == 0
    error_message = "Whoever installs an add-on is told its version."
  }
}

run "an_upgrade_by_one_minor_version_is_planned" {
  command = plan

  override_data {
    target = data.aws_eks_clusters.standing
    values = { names = ["another", "service-production"] }
  }

  override_data {
    target = data.aws_eks_cluster.standing[0]
    values = { version = "1.35" }
  }

  variables {
    kubernetes_version = "1.36"
  }

  assert {
    condition     = aws_eks_cluster.this.version == "1.36"
    error_message = "From 1.35 to 1.36."
  }
}

run "an_upgrade_that_leaves_out_a_version_is_refused" {
  command = plan

  override_data {
    target = data.aws_eks_clusters.standing
    values = { names = ["service-production"] }
  }

  override_data {
    target = data.aws_eks_cluster.standing[0]
    values = { version = "1.34" }
  }

  variables {
    kubernetes_version = "1.36"
  }

  expect_failures = [aws_eks_cluster.this]
}

run "a_version_before_the_one_that_runs_is_refused" {
  command = plan

  override_data {
    target = data.aws_eks_clusters.standing
    values = { names = ["service-production"] }
  }

  override_data {
    target = data.aws_eks_cluster.standing[0]
    values = { version = "1.36" }
  }

  variables {
    kubernetes_version = "1.35"
  }

  expect_failures = [aws_eks_cluster.this]
}

run "a_cluster_that_stays_in_its_zones_is_planned" {
  command = plan

  override_data {
    target = data.aws_eks_clusters.standing
    values = { names = ["service-production"] }
  }

  override_data {
    target = data.aws_eks_cluster.standing[0]
    values = { version = "1.35", vpc_config = [{ subnet_ids = ["subnet-1", "subnet-2"] }] }
  }

  override_data {
    target = data.aws_subnet.standing["subnet-1"]
    values = { availability_zone = "us-west-1b" }
  }

  override_data {
    target = data.aws_subnet.standing["subnet-2"]
    values = { availability_zone = "us-west-1a" }
  }

  variables {
    zones = ["us-west-1a", "us-west-1b"]
  }

  assert {
    condition     = length(data.aws_subnet.standing) == 2
    error_message = "In whatever order."
  }
}

run "other_zones_than_those_of_the_cluster_that_stands_are_refused" {
  command = plan

  override_data {
    target = data.aws_eks_clusters.standing
    values = { names = ["service-production"] }
  }

  override_data {
    target = data.aws_eks_cluster.standing[0]
    values = { version = "1.35", vpc_config = [{ subnet_ids = ["subnet-1", "subnet-2"] }] }
  }

  override_data {
    target = data.aws_subnet.standing
    values = { availability_zone = "us-west-1a" }
  }

  variables {
    zones = ["us-west-1a", "us-west-1b"]
  }

  expect_failures = [aws_eks_cluster.this]
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

run "a_network_that_the_internet_does_not_know_is_refused" {
  command = plan

  variables {
    public_access_cidrs = ["203.0.113.0/24", "172.20.0.0/16"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "a_network_of_ipv6_is_refused" {
  command = plan

  variables {
    public_access_cidrs = ["2001:db8::/32"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "more_networks_than_eks_takes_are_refused" {
  command = plan

  variables {
    public_access_cidrs = [
      "203.0.113.0/32", "203.0.113.1/32", "203.0.113.2/32", "203.0.113.3/32", "203.0.113.4/32", "203.0.113.5/32", "203.0.113.6/32",
      "203.0.113.7/32", "203.0.113.8/32", "203.0.113.9/32", "203.0.113.10/32", "203.0.113.11/32", "203.0.113.12/32", "203.0.113.13/32",
      "203.0.113.14/32", "203.0.113.15/32", "203.0.113.16/32", "203.0.113.17/32", "203.0.113.18/32", "203.0.113.19/32", "203.0.113.20/32",
      "203.0.113.21/32", "203.0.113.22/32", "203.0.113.23/32", "203.0.113.24/32", "203.0.113.25/32", "203.0.113.26/32", "203.0.113.27/32",
      "203.0.113.28/32", "203.0.113.29/32", "203.0.113.30/32", "203.0.113.31/32", "203.0.113.32/32", "203.0.113.33/32", "203.0.113.34/32",
      "203.0.113.35/32", "203.0.113.36/32", "203.0.113.37/32", "203.0.113.38/32", "203.0.113.39/32", "203.0.113.40/32",
    ]
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

run "a_principal_under_two_names_is_refused" {
  command = plan

  variables {
    access = {
      alice = { principal_arn = "arn:aws:iam::111122223333:role/admin", policy = "ClusterAdmin" }
      bob   = { principal_arn = "arn:aws:iam::111122223333:role/admin", policy = "View" }
    }
  }

  expect_failures = [var.access]
}
