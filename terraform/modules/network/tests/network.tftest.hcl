# The architecture's numbers, and every refusal. No account, no network: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = {
      names    = ["us-west-1a", "us-west-1b", "us-west-1c"]
      zone_ids = ["usw1-az3", "usw1-az1", "usw1-az2"]
    }
  }

  mock_data "aws_region" {
    defaults = { name = "us-west-1" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name         = "service-production"
  cluster_name = "service-production"
  log_key_arn  = "arn:aws:kms:us-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
}

run "the_architecture_is_the_default" {
  command = plan

  assert {
    condition     = aws_vpc.this.cidr_block == "10.0.0.0/16"
    error_message = "The VPC is 10.0.0.0/16."
  }

  assert {
    condition     = { for zone, subnet in aws_subnet.public : zone => subnet.cidr_block } == { us-west-1a = "10.0.1.0/24", us-west-1b = "10.0.2.0/24" }
    error_message = "Public subnets are 10.0.1.0/24 in us-west-1a and 10.0.2.0/24 in us-west-1b."
  }

  assert {
    condition     = { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block } == { us-west-1a = "10.0.11.0/24", us-west-1b = "10.0.12.0/24" }
    error_message = "Private subnets are 10.0.11.0/24 in us-west-1a and 10.0.12.0/24 in us-west-1b."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 2 && length(aws_eip.nat) == 2
    error_message = "There are two NAT gateways, one for each zone."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL"
    error_message = "Flow logs hold accepted and refused traffic."
  }

  assert {
    condition     = output.private_cidrs == ["10.0.11.0/24", "10.0.12.0/24"]
    error_message = "Whoever admits the nodes is told their addresses."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.us-west-1.s3"
    error_message = "S3 is reached by a gateway endpoint."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.tags["kubernetes.io/role/elb"] == "1" && !subnet.map_public_ip_on_launch])
    error_message = "Public subnets are tagged for load balancers and give no instance a public address."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.private : subnet.tags["kubernetes.io/role/internal-elb"] == "1" && subnet.tags["kubernetes.io/cluster/service-production"] == "shared"])
    error_message = "Private subnets are tagged for the cluster."
  }
}

run "one_nat_gateway_serves_both_zones" {
  command = plan

  variables {
    nat = "one"
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["us-west-1a"] && length(aws_route.nat) == 2
    error_message = "One gateway in the first zone, and a route to it from both."
  }
}

run "overlapping_ranges_are_refused" {
  command = plan

  variables {
    private_cidrs = ["10.0.0.0/22", "10.0.12.0/24"]
  }

  expect_failures = [aws_vpc.this]
}

run "a_range_outside_the_vpc_is_refused" {
  command = plan

  variables {
    private_cidrs = ["10.1.11.0/24", "10.0.12.0/24"]
  }

  expect_failures = [aws_vpc.this]
}

run "a_zone_that_is_not_there_is_refused" {
  command = plan

  variables {
    zones = ["us-west-1a", "us-west-1z"]
  }

  expect_failures = [aws_vpc.this]
}

run "a_zone_that_eks_refuses_is_refused" {
  command = plan

  variables {
    zones = ["us-west-1a", "us-west-1c"]
  }

  expect_failures = [aws_vpc.this]
}

run "a_single_zone_is_refused" {
  command = plan

  variables {
    zones         = ["us-west-1a"]
    public_cidrs  = ["10.0.1.0/24"]
    private_cidrs = ["10.0.11.0/24"]
  }

  expect_failures = [var.zones]
}

run "a_vpc_with_host_bits_is_refused" {
  command = plan

  variables {
    cidr = "10.0.0.1/16"
  }

  expect_failures = [var.cidr]
}

run "a_vpc_too_large_for_aws_is_refused" {
  command = plan

  variables {
    cidr = "10.0.0.0/8"
  }

  expect_failures = [var.cidr]
}

run "subnets_without_a_zone_are_refused" {
  command = plan

  variables {
    public_cidrs  = ["10.0.1.0/24"]
    private_cidrs = ["10.0.11.0/24"]
  }

  expect_failures = [var.public_cidrs, var.private_cidrs]
}

run "an_unknown_number_of_gateways_is_refused" {
  command = plan

  variables {
    nat = "none"
  }

  expect_failures = [var.nat]
}

run "a_name_too_long_for_a_load_balancer_is_refused" {
  command = plan

  variables {
    name = "a-name-that-is-longer-than-thirty-two-characters"
  }

  expect_failures = [var.name]
}

run "the_smallest_subnets_that_aws_takes_are_planned" {
  command = plan

  variables {
    public_cidrs  = ["10.0.1.0/27", "10.0.2.0/27"]
    private_cidrs = ["10.0.11.0/28", "10.0.12.0/28"]
  }

  assert {
    condition     = length(aws_subnet.public) == 2 && length(aws_subnet.private) == 2
    error_message = "/27 for the load balancer, /28 for nodes."
  }
}

run "a_public_subnet_too_small_for_a_load_balancer_is_refused" {
  command = plan

  variables {
    public_cidrs = ["10.0.1.0/28", "10.0.2.0/24"]
  }

  expect_failures = [var.public_cidrs]
}

run "a_private_subnet_that_aws_does_not_make_is_refused" {
  command = plan

  variables {
    private_cidrs = ["10.0.11.0/29", "10.0.12.0/24"]
  }

  expect_failures = [var.private_cidrs]
}

run "a_range_that_is_none_is_refused" {
  command = plan

  variables {
    private_cidrs = ["10.0.11.0", "10.0.12.0/24"]
  }

  expect_failures = [var.private_cidrs]
}

run "a_vpc_of_reserved_addresses_is_refused" {
  command = plan

  variables {
    cidr = "127.0.0.0/16"
  }

  expect_failures = [var.cidr]
}

run "a_vpc_of_ipv6_addresses_is_refused" {
  command = plan

  variables {
    cidr = "fd00::/16"
  }

  expect_failures = [var.cidr]
}

run "a_name_that_ends_with_a_dash_is_refused" {
  command = plan

  variables {
    name = "service-"
  }

  expect_failures = [var.name]
}
