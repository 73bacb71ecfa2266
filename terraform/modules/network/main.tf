# The VPC: public subnets for the load balancer and the NAT gateways, private ones for everything that computes.

data "aws_region" "current" {}

data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394: asked only to refuse zones that are not there; the ones that are used are var.zones
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  # EKS places no control plane in these zone ids (EKS user guide, "Amazon EKS VPC and subnet considerations").
  zone_ids_refused_by_eks = ["use1-az3", "usw1-az2", "cac1-az3"]

  zone_ids = zipmap(data.aws_availability_zones.available.names, data.aws_availability_zones.available.zone_ids)

  subnets = {
    for index, zone in var.zones : zone => {
      public  = try(var.public_cidrs[index], null)
      private = try(var.private_cidrs[index], null)
    }
  }

  nat_zones = var.nat == "one" ? slice(var.zones, 0, 1) : var.zones

  vpc_prefix = tonumber(split("/", var.cidr)[1])
  ranges     = concat(var.public_cidrs, var.private_cidrs)

  # A range lies within the VPC when, cut to the VPC's prefix, it begins where the VPC begins.
  outside = [
    for range in local.ranges : range
    if !try(
      tonumber(split("/", range)[1]) >= local.vpc_prefix &&
      cidrhost("${cidrhost(range, 0)}/${local.vpc_prefix}", 0) == cidrhost(var.cidr, 0),
      false
    )
  ]

  # Two ranges overlap when they are the same network at the shorter of their prefixes.
  overlapping = flatten([
    for left, a in local.ranges : [
      for right, b in local.ranges : "${a} and ${b}"
      if right > left && try(
        cidrhost("${cidrhost(a, 0)}/${min(split("/", a)[1], split("/", b)[1])}", 0) ==
        cidrhost("${cidrhost(b, 0)}/${min(split("/", a)[1], split("/", b)[1])}", 0),
        false
      )
    ]
  ])
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = var.name }

  lifecycle {
    precondition {
      condition     = length(setsubtract(var.zones, data.aws_availability_zones.available.names)) == 0
      error_message = "This account has no zone ${join(", ", setsubtract(var.zones, data.aws_availability_zones.available.names))} in ${data.aws_region.current.name}. Set zones to two of: ${join(", ", data.aws_availability_zones.available.names)}."
    }

    precondition {
      condition     = length(setintersection([for zone in var.zones : lookup(local.zone_ids, zone, "")], local.zone_ids_refused_by_eks)) == 0
      error_message = "EKS places no control plane in ${join(", ", [for zone in var.zones : "${zone} (${lookup(local.zone_ids, zone, "")})" if contains(local.zone_ids_refused_by_eks, lookup(local.zone_ids, zone, ""))])}. Set zones to two of: ${join(", ", [for zone, id in local.zone_ids : zone if !contains(local.zone_ids_refused_by_eks, id)])}."
    }

    precondition {
      condition     = length(local.outside) == 0
      error_message = "Outside the VPC ${var.cidr}: ${join(", ", local.outside)}. Set public_cidrs and private_cidrs to ranges within cidr."
    }

    precondition {
      condition     = length(local.overlapping) == 0
      error_message = "Overlapping: ${join("; ", local.overlapping)}. Set public_cidrs and private_cidrs to ranges that share no address."
    }
  }
}

# Whatever names no security group gets this one, which lets nothing through.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-closed" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each = local.subnets

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value.public

  # Load balancers and NAT gateways bring their own public addresses; nothing else here gets one.
  map_public_ip_on_launch = false

  tags = {
    Name                                        = "${var.name}-public-${each.key}"
    "kubernetes.io/role/elb"                    = "1"
    "kubernetes.io/cluster/${var.cluster_name}" = "shared"
  }
}

resource "aws_subnet" "private" {
  for_each = local.subnets

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value.private

  tags = {
    Name                                        = "${var.name}-private-${each.key}"
    "kubernetes.io/role/internal-elb"           = "1"
    "kubernetes.io/cluster/${var.cluster_name}" = "shared"
  }
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"

  tags = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${var.name}-${each.key}" }

  # A NAT gateway made before the internet gateway is attached fails.
  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.subnets

  route_table_id = aws_route_table.public.id
  subnet_id      = aws_subnet.public[each.key].id
}

resource "aws_route_table" "private" {
  for_each = local.subnets

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = local.subnets

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[var.nat == "one" ? local.nat_zones[0] : each.key].id
}

resource "aws_route_table_association" "private" {
  for_each = local.subnets

  route_table_id = aws_route_table.private[each.key].id
  subnet_id      = aws_subnet.private[each.key].id
}

# Free, and it takes the image layers that ECR keeps in S3 off the NAT gateways' bill.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${data.aws_region.current.name}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for zone in var.zones : aws_route_table.private[zone].id]

  tags = { Name = "${var.name}-s3" }
}
