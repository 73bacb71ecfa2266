mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = {
      names    = ["us-west-1a", "us-west-1b"]
      zone_ids = ["usw1-az3", "usw1-az1"]
    }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_region" {
    defaults = { name = "us-west-1" }
  }
}

variables {
  name           = "service-production"
  administrators = ["arn:aws:iam::111122223333:role/admin"]
  alarms         = { monthly_budget = 300 }
}

run "a_region_is_whole_without_a_domain" {
  command = plan

  assert {
    condition     = length(module.recovery) == 0
    error_message = "Without a domain there is nothing to fail over."
  }
}

run "nobody_to_administer_is_refused" {
  command = plan

  variables {
    administrators = []
  }

  expect_failures = [var.administrators]
}

run "administrators_whose_names_end_alike_are_all_admitted" {
  command = plan

  variables {
    administrators = [
      "arn:aws:iam::111122223333:role/team-a/admin",
      "arn:aws:iam::111122223333:role/team-b/admin",
      "arn:aws:iam::444455556666:role/admin",
      "arn:aws:iam::111122223333:user/admin",
    ]
  }

  assert {
    condition     = length(local.access) == 4 && toset([for entry in local.access : entry.principal_arn]) == var.administrators
    error_message = "An entry for each ARN."
  }
}

run "who_deploys_has_a_group_and_no_policy" {
  command = plan

  variables {
    github = { repository = "example/service", environment = "production" }
  }

  assert {
    condition     = local.access["deploy"].policy == null && local.access["deploy"].groups == ["simpletimeservice-deployers"]
    error_message = "What a deploy may do is a Role in the cluster."
  }
}

run "the_manifests_are_told_who_and_where_they_are" {
  command = plan

  variables {
    application = { identity = "pod-identity", deploy_group = "deployers" }
  }

  assert {
    condition     = output.overlay.node_networks == ["10.0.11.0/24", "10.0.12.0/24"] && output.overlay.deploy_group == "deployers"
    error_message = "The networks of the nodes, and the group of the access entry."
  }

  assert {
    condition     = output.overlay.role_arn == null && output.overlay.namespace == "simpletimeservice" && output.overlay.service_account == "simpletimeservice"
    error_message = "Under Pod Identity an annotation would have the SDK ask for a role that does not trust it."
  }
}

run "who_admits_the_nodes_is_told_their_addresses" {
  command = plan

  variables {
    network = {
      cidr          = "10.1.0.0/16"
      public_cidrs  = ["10.1.1.0/24", "10.1.2.0/24"]
      private_cidrs = ["10.1.11.0/24", "10.1.12.0/24"]
    }
  }

  assert {
    condition     = output.node_networks == ["10.1.11.0/24", "10.1.12.0/24"]
    error_message = "The private subnets, whatever they are."
  }
}

run "a_wildcard_among_the_administrators_is_refused" {
  command = plan

  variables {
    administrators = ["arn:aws:iam::111122223333:role/*"]
  }

  expect_failures = [var.administrators]
}

run "a_namespace_that_kubernetes_does_not_take_is_refused" {
  command = plan

  variables {
    application = { namespace = "Simple_Time" }
  }

  expect_failures = [var.application]
}

run "a_name_in_place_of_an_arn_is_refused" {
  command = plan

  variables {
    administrators = ["alice"]
  }

  expect_failures = [var.administrators]
}
