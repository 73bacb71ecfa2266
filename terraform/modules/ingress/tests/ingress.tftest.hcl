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

  mock_data "aws_route53_zone" {
    defaults = { name = "example.com", zone_id = "Z1" }
  }

  mock_resource "aws_acm_certificate" {
    override_during = plan
    defaults = {
      arn                       = "arn:aws:acm:us-west-1:111122223333:certificate/1"
      domain_validation_options = [{ domain_name = "time.example.com", resource_record_name = "_a.time.example.com.", resource_record_type = "CNAME", resource_record_value = "_b.acm-validations.aws." }]
    }
  }

  mock_resource "aws_acm_certificate_validation" {
    override_during = plan
    defaults        = { certificate_arn = "arn:aws:acm:us-west-1:111122223333:certificate/1" }
  }
}

variables {
  name                    = "service-production"
  vpc_id                  = "vpc-1"
  subnet_ids              = ["subnet-1", "subnet-2"]
  node_security_group_id  = "sg-nodes"
  autoscaling_group_names = { nodes = "eks-nodes" }
}

run "the_architecture_is_the_default" {
  command = plan

  assert {
    condition     = !aws_lb.this.internal && aws_lb.this.load_balancer_type == "application" && aws_lb.this.subnets == toset(["subnet-1", "subnet-2"])
    error_message = "An internet-facing ALB in the public subnets."
  }

  assert {
    condition     = aws_lb.this.idle_timeout == 60 && aws_lb.this.drop_invalid_header_fields && aws_lb.this.access_logs[0].enabled && aws_lb.this.enable_deletion_protection
    error_message = "Idle timeout 60 s, invalid headers dropped, access on record, protected."
  }

  assert {
    condition     = aws_lb_target_group.nodes.port == 30080 && aws_lb_target_group.nodes.target_type == "instance" && aws_lb_target_group.nodes.deregistration_delay == "30"
    error_message = "NodePort 30080 on the nodes, 30 s to leave."
  }

  assert {
    condition     = aws_lb_target_group.nodes.health_check[0].path == "/health" && aws_lb_target_group.nodes.health_check[0].interval == 30 && aws_lb_target_group.nodes.health_check[0].protocol == "HTTP"
    error_message = "HTTP GET /health every 30 s."
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.public : rule.from_port]) == toset([80, 443]) && alltrue([for rule in aws_vpc_security_group_ingress_rule.public : rule.cidr_ipv4 == "0.0.0.0/0"])
    error_message = "80 and 443 from anywhere."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.to_nodes.from_port == 30080 && aws_vpc_security_group_egress_rule.to_nodes.to_port == 30080 && aws_vpc_security_group_egress_rule.to_nodes.referenced_security_group_id == "sg-nodes"
    error_message = "Out of the load balancer to the nodes' NodePort only."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.nodes_from_alb.security_group_id == "sg-nodes" && aws_vpc_security_group_ingress_rule.nodes_from_alb.from_port == 30080
    error_message = "Into the nodes from the load balancer only."
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "forward" && length(aws_lb_listener.https) == 0 && length(aws_wafv2_web_acl.this) == 0
    error_message = "Without a domain: HTTP, no certificate, no WAF."
  }
}

run "a_domain_brings_https_a_redirect_and_a_record" {
  command = plan

  variables {
    domain  = "time.example.com"
    zone_id = "Z1"
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "HTTP sends browsers to HTTPS."
  }

  assert {
    condition     = aws_lb_listener.https[0].port == 443 && startswith(aws_lb_listener.https[0].ssl_policy, "ELBSecurityPolicy-TLS13-1-2")
    error_message = "HTTPS with TLS 1.2 and 1.3 only."
  }

  assert {
    condition     = aws_route53_record.alias[0].name == "time.example.com" && aws_route53_record.proof[0].type == "CNAME"
    error_message = "An alias for people, and a proof for the certificate."
  }
}

run "the_second_region_leaves_the_records_to_others" {
  command = plan

  variables {
    domain       = "time.example.com"
    zone_id      = "Z1"
    own_record   = false
    prove_domain = false
  }

  assert {
    condition     = length(aws_route53_record.alias) == 0 && length(aws_route53_record.proof) == 0 && length(aws_lb_listener.https) == 1
    error_message = "HTTPS, and no record."
  }
}

run "waf_counts_the_requests_of_one_address" {
  command = plan

  variables {
    web_acl = { enabled = true, rate_limit = 2000 }
  }

  assert {
    condition     = length(aws_wafv2_web_acl_association.this) == 1 && length(aws_wafv2_web_acl.this[0].rule) == 4
    error_message = "Three groups of AWS's rules, and the limit."
  }
}

run "a_domain_without_a_zone_is_refused" {
  command = plan

  variables {
    domain = "time.example.com"
  }

  expect_failures = [var.domain]
}

run "a_domain_of_another_zone_is_refused" {
  command = plan

  variables {
    domain  = "time.example.org"
    zone_id = "Z1"
  }

  expect_failures = [data.aws_route53_zone.this]
}

run "a_domain_that_is_none_is_refused" {
  command = plan

  variables {
    domain  = "https://time.example.com/"
    zone_id = "Z1"
  }

  expect_failures = [var.domain]
}

run "a_port_that_kubernetes_does_not_give_is_refused" {
  command = plan

  variables {
    node_port = 8080
  }

  expect_failures = [var.node_port]
}

run "a_health_check_longer_than_its_interval_is_refused" {
  command = plan

  variables {
    health = { interval = 5, timeout = 10 }
  }

  expect_failures = [var.health]
}

run "a_limit_below_what_waf_takes_is_refused" {
  command = plan

  variables {
    web_acl = { enabled = true, rate_limit = 5 }
  }

  expect_failures = [var.web_acl]
}

run "a_name_too_long_for_a_load_balancer_is_refused" {
  command = plan

  variables {
    name = "a-name-that-is-longer-than-thirty-two-characters"
  }

  expect_failures = [var.name]
}

run "a_name_that_load_balancers_keep_for_themselves_is_refused" {
  command = plan

  variables {
    name = "internal-service"
  }

  expect_failures = [var.name]
}

run "a_health_check_faster_than_a_load_balancer_is_refused" {
  command = plan

  variables {
    health = { interval = 5, timeout = 1 }
  }

  expect_failures = [var.health]
}

run "an_idle_timeout_that_a_load_balancer_does_not_take_is_refused" {
  command = plan

  variables {
    idle_timeout = 5000
  }

  expect_failures = [var.idle_timeout]
}

run "a_delay_that_a_target_group_does_not_take_is_refused" {
  command = plan

  variables {
    deregistration_delay = 4000
  }

  expect_failures = [var.deregistration_delay]
}

run "logs_that_are_kept_for_no_day_are_refused" {
  command = plan

  variables {
    log_days = 0
  }

  expect_failures = [var.log_days]
}

run "a_label_that_begins_with_a_dash_is_refused" {
  command = plan

  variables {
    domain  = "-time.example.com"
    zone_id = "Z1"
  }

  expect_failures = [var.domain]
}

run "a_domain_too_long_for_a_certificate_is_refused" {
  command = plan

  variables {
    domain  = "a-name-that-is-longer.than-the-sixty-four-letters-that.a-certificate.example.com"
    zone_id = "Z1"
  }

  expect_failures = [var.domain]
}
