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

run "a_name_in_place_of_an_arn_is_refused" {
  command = plan

  variables {
    administrators = ["alice"]
  }

  expect_failures = [var.administrators]
}
