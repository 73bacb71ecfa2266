# Production: the architecture as it was drawn, two zones, two NAT gateways, two to four nodes on demand.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = "simpletimeservice"
      Environment = "production"
      ManagedBy   = "terraform"
    }
  }
}

module "region" {
  source = "../../modules/region"

  name                = "simpletimeservice-production"
  administrators      = var.administrators
  network             = { zones = var.zones }
  nodes               = { size = var.node_size }
  application         = { identity = var.workload_identity }
  github              = var.github_repository == null ? null : { repository = var.github_repository, environment = "production" }
  web_acl             = var.web_acl
  deletion_protection = var.deletion_protection

  # The record is one half of a failover pair from the first day, so that a second region can join without a gap.
  domain = var.domain == null ? null : { name = var.domain, zone_id = var.zone_id, role = "PRIMARY" }

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
