# The second region: production's own modules and sizes, elsewhere, with a state of its own.
# It may stand ready, or be applied when it is needed (docs/runbooks/regional-failure.md).

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = "simpletimeservice"
      Environment = "recovery"
      ManagedBy   = "terraform"
    }
  }
}

module "region" {
  source = "../../modules/region"

  name                = "simpletimeservice-recovery"
  administrators      = var.administrators
  nodes               = { size = var.node_size }
  github              = var.github_repository == null ? null : { repository = var.github_repository, environment = "recovery" }
  deletion_protection = var.deletion_protection
  domain              = var.domain == null ? null : { name = var.domain, zone_id = var.zone_id, role = "SECONDARY" }

  # Other addresses than production's, so that the two networks could be joined.
  network = {
    cidr          = "10.1.0.0/16"
    zones         = var.zones
    public_cidrs  = ["10.1.1.0/24", "10.1.2.0/24"]
    private_cidrs = ["10.1.11.0/24", "10.1.12.0/24"]
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
