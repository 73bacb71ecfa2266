# A small environment for tests of what goes wrong: the network alone, its state where every other state is.

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }

  backend "s3" {
    key          = "small/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = "us-west-1"

  default_tags {
    tags = {
      Project     = "simpletimeservice"
      Environment = "small"
      ManagedBy   = "terraform"
    }
  }
}

variable "log_days" {
  description = "Days that flow logs are kept."
  type        = number
  default     = 365
}

module "network" {
  source = "../../modules/network"

  name               = "simpletimeservice-small"
  cluster_name       = "simpletimeservice-small"
  nat                = "one"
  log_key_arn        = "arn:aws:kms:us-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  log_retention_days = var.log_days
}
