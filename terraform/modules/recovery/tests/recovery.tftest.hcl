mock_provider "aws" {}

variables {
  name          = "service-production"
  role          = "PRIMARY"
  domain        = "time.example.com"
  zone_id       = "Z1"
  load_balancer = { dns_name = "service.us-west-1.elb.amazonaws.com", dns_zone_id = "Z2" }
}

run "a_region_answers_while_its_health_check_passes" {
  command = plan

  assert {
    condition     = aws_route53_health_check.this.resource_path == "/health" && aws_route53_health_check.this.request_interval == 30 && aws_route53_health_check.this.failure_threshold == 3
    error_message = "/health every 30 s, three failures: 90 s until the other region answers."
  }

  assert {
    condition     = aws_route53_record.this.failover_routing_policy[0].type == "PRIMARY" && aws_route53_record.this.alias[0].evaluate_target_health
    error_message = "The primary answers while it is healthy."
  }
}

run "a_part_that_is_none_is_refused" {
  command = plan

  variables {
    role = "TERTIARY"
  }

  expect_failures = [var.role]
}

run "a_path_that_is_none_is_refused" {
  command = plan

  variables {
    health_path = "health"
  }

  expect_failures = [var.health_path]
}
