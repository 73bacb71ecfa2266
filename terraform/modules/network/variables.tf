variable "name" {
  description = "Prefix of every name in this module."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,31}$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and dashes, and begin with a letter: load balancers allow no more."
  }
}

variable "cluster_name" {
  description = "EKS cluster that the subnets are tagged for, so that Kubernetes finds them."
  type        = string
}

variable "cidr" {
  description = "Address range of the VPC."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false)
    error_message = "cidr must be an IPv4 network such as 10.0.0.0/16, with no host bits set."
  }

  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 28, false)
    error_message = "cidr must be between /16 and /28: AWS makes no VPC outside of these."
  }
}

variable "zones" {
  description = "Availability zones, at least two, all of the provider's region."
  type        = list(string)
  default     = ["us-west-1a", "us-west-1b"]

  validation {
    condition     = length(distinct(var.zones)) == length(var.zones) && length(var.zones) >= 2
    error_message = "zones must name at least two different availability zones: EKS and the load balancer both refuse one."
  }
}

variable "public_cidrs" {
  description = "One public subnet for each zone, in the order of zones."
  type        = list(string)
  default     = ["10.0.1.0/24", "10.0.2.0/24"]

  validation {
    condition     = length(var.public_cidrs) == length(var.zones)
    error_message = "public_cidrs must hold one range for each of zones."
  }
}

variable "private_cidrs" {
  description = "One private subnet for each zone, in the order of zones."
  type        = list(string)
  default     = ["10.0.11.0/24", "10.0.12.0/24"]

  validation {
    condition     = length(var.private_cidrs) == length(var.zones)
    error_message = "private_cidrs must hold one range for each of zones."
  }
}

variable "nat" {
  description = "\"per-zone\": a NAT gateway in each zone, so that one may fail. \"one\": a single gateway, cheaper, and lost with its zone."
  type        = string
  default     = "per-zone"

  validation {
    condition     = contains(["per-zone", "one"], var.nat)
    error_message = "nat must be \"per-zone\" or \"one\"."
  }
}

variable "log_key_arn" {
  description = "KMS key that encrypts the flow logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days that flow logs are kept."
  type        = number
  default     = 365
}
