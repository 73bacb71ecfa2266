mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_default_tags" {
    defaults = { tags = { Project = "service", Environment = "production" } }
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
    condition     = [for filter in aws_budgets_budget.monthly[0].cost_filter : "${filter.name} ${join(",", filter.values)}"] == ["TagKeyValue user:Environment$production"]
    error_message = "The budget counts what carries the environment's tag."
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

run "the_agents_role_is_for_its_service_account_only" {
  command = plan

  variables {
    addon_version = "v4.0.0-eksbuild.1"
  }

  assert {
    condition = jsondecode(aws_iam_role.agent.assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "aws:SourceAccount"                         = "111122223333"
        "aws:RequestTag/kubernetes-namespace"       = "amazon-cloudwatch"
        "aws:RequestTag/kubernetes-service-account" = "cloudwatch-agent"
      }
      ArnEquals = { "aws:SourceArn" = "arn:aws:eks:us-west-1:111122223333:cluster/service-production" }
    }
    error_message = "The trust names cluster, namespace and service account."
  }

  assert {
    condition     = aws_eks_pod_identity_association.agent.service_account == "cloudwatch-agent" && aws_eks_addon.agent.addon_version == "v4.0.0-eksbuild.1"
    error_message = "The agent has the role, in the version that was asked for."
  }
}

run "a_budget_without_the_tag_counts_the_account" {
  command = plan

  override_data {
    target = data.aws_default_tags.provider
    values = { tags = { Project = "service" } }
  }

  assert {
    condition     = length(aws_budgets_budget.monthly[0].cost_filter) == 0
    error_message = "Nothing to filter by."
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
