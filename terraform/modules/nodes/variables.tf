variable "name" {
  description = "Prefix of every name in this module."
  type        = string
}

variable "cluster_name" {
  description = "Cluster that the nodes join."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of the cluster; nodes run the same."
  type        = string
}

variable "cluster_security_group_id" {
  description = "Security group between control plane and nodes."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the nodes."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets for the nodes."
  type        = list(string)
}

variable "zones" {
  description = "Availability zones of subnet_ids: the instance type has to be offered in each. Empty: not looked at."
  type        = list(string)
  default     = []
}

variable "role_arn" {
  description = "Role of the nodes."
  type        = string
}

variable "instance_type" {
  description = "EC2 instance type."
  type        = string
  default     = "t3.medium"

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type must be one of EC2's, such as \"t3.medium\"."
  }
}

variable "capacity_type" {
  description = "ON_DEMAND, or SPOT: cheaper, and taken away with two minutes' notice."
  type        = string
  default     = "ON_DEMAND"

  validation {
    condition     = contains(["ON_DEMAND", "SPOT"], var.capacity_type)
    error_message = "capacity_type must be ON_DEMAND or SPOT."
  }
}

variable "size" {
  description = "How many nodes: at least, at first, at most. The Cluster Autoscaler moves between the first and the last."
  type = object({
    min     = number
    desired = number
    max     = number
  })
  default = { min = 2, desired = 2, max = 4 }

  validation {
    condition     = var.size.min >= 1 && var.size.max >= var.size.min
    error_message = "size: min must be at least 1, and max no smaller than min."
  }

  validation {
    condition     = var.size.desired >= var.size.min && var.size.desired <= var.size.max
    error_message = "size: desired must lie between min and max."
  }
}

variable "disk_gb" {
  description = "Volume of a node that holds images, logs and what pods write, in GB. Bottlerocket has another of 4 GB for itself."
  type        = number
  default     = 50

  validation {
    condition     = var.disk_gb >= 20 && var.disk_gb <= 16384
    error_message = "disk_gb must be at least 20, the size of the AMI's own snapshot, and at most 16384, the largest gp3 volume of every region."
  }
}

variable "ami_type" {
  description = "Operating system of the nodes. The architecture's Amazon Linux 2 (AL2_x86_64) ended with Kubernetes 1.32."
  type        = string
  default     = "AL2023_x86_64_STANDARD"

  validation {
    condition     = contains(["AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "BOTTLEROCKET_x86_64", "AL2_x86_64"], var.ami_type)
    error_message = "ami_type must be AL2023_x86_64_STANDARD, AL2023_ARM_64_STANDARD, BOTTLEROCKET_x86_64 or AL2_x86_64."
  }
}

variable "addons" {
  description = "EKS add-ons that run on the nodes: name resolution, and the metrics that the HorizontalPodAutoscaler reads."
  type        = set(string)
  default     = ["coredns", "metrics-server"]
}

variable "addon_versions" {
  description = "Version of each add-on, by name; EKS's own choice for one that is not named."
  type        = map(string)
  default     = {}
}
