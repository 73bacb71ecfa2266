mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_region" {
    defaults = { name = "us-west-1" }
  }

  mock_data "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }
  }
}

variables {
  name              = "service-production"
  cluster_name      = "service-production"
  oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-west-1.amazonaws.com/id/0123"
  oidc_issuer       = "oidc.eks.us-west-1.amazonaws.com/id/0123"
  github            = { repository = "example/service", environment = "production" }
}

run "each_role_is_for_one_subject" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role.workload["application"].assume_role_policy).Statement[0].Condition.StringEquals["oidc.eks.us-west-1.amazonaws.com/id/0123:sub"] == "system:serviceaccount:simpletimeservice:simpletimeservice"
    error_message = "The application's role is for its service account only."
  }

  assert {
    condition     = jsondecode(aws_iam_role.deploy[0].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:example/service:environment:production"
    error_message = "The deploy role is for one repository and one environment."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.deploy[0].policy).Statement[0].Resource == "arn:aws:eks:us-west-1:111122223333:cluster/service-production"
    error_message = "The deploy role finds one cluster."
  }

  assert {
    condition     = !contains(keys(aws_iam_role_policy.workload), "application")
    error_message = "The application may use nothing of AWS by default."
  }

  assert {
    condition     = length(aws_eks_pod_identity_association.workload) == 0
    error_message = "IRSA needs no association."
  }
}

run "eks_takes_the_control_planes_role_for_this_cluster_only" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.cluster.assume_role_policy).Statement[0].Condition == {
      StringEquals = { "aws:SourceAccount" = "111122223333" }
      ArnEquals    = { "aws:SourceArn" = "arn:aws:eks:us-west-1:111122223333:cluster/service-production" }
    }
    error_message = "The trust names account and cluster."
  }
}

run "pod_identity_trusts_one_service_account_of_one_cluster" {
  command = plan

  variables {
    workload_identity = "pod-identity"
  }

  assert {
    condition     = jsondecode(aws_iam_role.workload["application"].assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-service-account"] == "simpletimeservice"
    error_message = "The trust names the service account."
  }

  assert {
    condition     = toset(keys(aws_eks_pod_identity_association.workload)) == toset(["application", "cluster-autoscaler"])
    error_message = "Both workloads are associated."
  }
}

run "without_github_there_is_no_deploy_role" {
  command = plan

  variables {
    github = null
  }

  assert {
    condition     = output.deploy_role_arn == null
    error_message = "No repository, no role."
  }
}

run "a_wildcard_repository_is_refused" {
  command = plan

  variables {
    github = { repository = "example/*", environment = "production" }
  }

  expect_failures = [var.github]
}

run "a_wildcard_environment_is_refused" {
  command = plan

  variables {
    github = { repository = "example/service", environment = "*" }
  }

  expect_failures = [var.github]
}

run "an_unknown_kind_of_identity_is_refused" {
  command = plan

  variables {
    workload_identity = "node"
  }

  expect_failures = [var.workload_identity]
}
