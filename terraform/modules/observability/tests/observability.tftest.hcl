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
}

variables {
  name             = "service-production"
  cluster_name     = "service-production"
  load_balancer_id = "app/service-production/0123"
  target_group_id  = "targetgroup/service-production/0123"
  monthly_budget   = 300
}

run "the_architectures_metrics_have_alarms" {
  command = plan

  assert {
    condition = toset(concat(keys(aws_cloudwatch_metric_alarm.metric), keys(aws_cloudwatch_metric_alarm.share))) == toset([
      "request-rate", "response-time", "error-rate", "active-connections", "unhealthy-nodes",
      "cpu", "memory", "network", "disk-operations", "disk-space", "availability",
    ])
    error_message = "Application, infrastructure and business each have their alarms."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.metric["request-rate"].threshold == 100000 * 60
    error_message = "Ten replicas carry 100,000 requests a second."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.metric["active-connections"].threshold == 10000
    error_message = "Ten replicas carry 10,000 connections."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.metric["response-time"].threshold == 0.005 && aws_cloudwatch_metric_alarm.metric["response-time"].extended_statistic == "p99"
    error_message = "p99 is 5 ms."
  }

  assert {
    condition     = aws_budgets_budget.monthly[0].limit_amount == "300" && aws_budgets_budget.monthly[0].time_unit == "MONTHLY"
    error_message = "A budget by the month."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.insights : group.retention_in_days == 365])
    error_message = "Logs have an end."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 9
    error_message = "The dashboard shows nine graphs."
  }
}

run "no_budget_when_none_is_wanted" {
  command = plan

  variables {
    monthly_budget = 0
  }

  assert {
    condition     = length(aws_budgets_budget.monthly) == 0
    error_message = "0 is no budget."
  }
}

run "a_negative_budget_is_refused" {
  command = plan

  variables {
    monthly_budget = -1
  }

  expect_failures = [var.monthly_budget]
}

run "an_address_that_is_none_is_refused" {
  command = plan

  variables {
    emails = ["on-call"]
  }

  expect_failures = [var.emails]
}

run "a_percentage_above_a_hundred_is_refused" {
  command = plan

  variables {
    limits = { availability = 999 }
  }

  expect_failures = [var.limits]
}

run "a_retention_that_cloudwatch_does_not_know_is_refused" {
  command = plan

  variables {
    log_retention_days = 42
  }

  expect_failures = [var.log_retention_days]
}
