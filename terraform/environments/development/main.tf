# Development: the same parts, as few and as small as they go. One NAT gateway, one small spot node, nothing kept for long.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = "simpletimeservice"
      Environment = "development"
      ManagedBy   = "terraform"
    }
  }
}

module "region" {
  source = "../../modules/region"

  name                = "simpletimeservice-development"
  administrators      = var.administrators
  network             = { zones = var.zones, nat = "one" }
  github              = var.github_repository == null ? null : { repository = var.github_repository, environment = "development" }
  deletion_protection = false
  log_retention_days  = 30

  nodes = {
    instance_type = "t3.small"
    capacity_type = "SPOT"
    size          = var.node_size
  }

  cluster = {
    version             = var.kubernetes_version
    allow_ended_version = var.allow_ended_version
    public_access_cidrs = var.public_access_cidrs
  }

  alarms = {
    emails         = var.alarm_emails
    monthly_budget = var.monthly_budget
  }
}
