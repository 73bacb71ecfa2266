variable "name" {
  description = "Prefix of every name in this module."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !startswith(var.name, "internal-")
    error_message = "name must be 3 to 32 lower-case letters, digits and dashes, begin with a letter, not end with a dash and not begin with \"internal-\": load balancers allow no more."
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
    condition     = can(cidrnetmask(var.cidr)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false)
    error_message = "cidr must be an IPv4 network such as 10.0.0.0/16, with no host bits set."
  }

  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 28, false)
    error_message = "cidr must be between /16 and /28: AWS makes no VPC outside of these."
  }

  validation {
    condition     = !can(regex("^(0|127|169\\.254|22[4-9]|2[3-5][0-9])\\.", var.cidr))
    error_message = "cidr must not lie in 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16 or 224.0.0.0/3: AWS makes no VPC of reserved addresses. Choose private ones, such as 10.0.0.0/16."
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

  validation {
    condition     = alltrue([for range in var.public_cidrs : try(tonumber(split("/", range)[1]) >= 16 && tonumber(split("/", range)[1]) <= 27, false)])
    error_message = "public_cidrs must be between /16 and /27: the load balancer is refused in a subnet smaller than /27, and AWS makes none larger than /16."
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

  validation {
    condition     = alltrue([for range in var.private_cidrs : try(tonumber(split("/", range)[1]) >= 16 && tonumber(split("/", range)[1]) <= 28, false)])
    error_message = "private_cidrs must be between /16 and /28: AWS makes no other subnets. Each node and each pod takes an address, so /24 is a good choice."
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
