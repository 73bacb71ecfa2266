variable "name" {
  description = "Prefix of every name in this module."
  type        = string
}

variable "cluster_name" {
  description = "Cluster whose nodes report."
  type        = string
}

variable "load_balancer_id" {
  description = "Load balancer as CloudWatch's metrics name it."
  type        = string
}

variable "target_group_id" {
  description = "Target group as CloudWatch's metrics name it."
  type        = string
}

variable "emails" {
  description = "Addresses that alarms and budget warnings go to; each has to confirm."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "emails must hold addresses such as on-call@example.com."
  }
}

variable "limits" {
  description = "Where alarms ring. Requests and connections are the architecture's capacity of ten replicas, response time its p99; the rest are percent."
  type = object({
    requests_per_second = optional(number, 100000)
    connections         = optional(number, 10000)
    p99_seconds         = optional(number, 0.005)
    error_percent       = optional(number, 1)
    availability        = optional(number, 99.9)
    cpu_percent         = optional(number, 80)
    memory_percent      = optional(number, 80)
    disk_percent        = optional(number, 80)
    disk_operations     = optional(number, 3000)
    network_bytes       = optional(number, 64000000)
  })
  default = {}

  validation {
    condition     = alltrue([for limit in [var.limits.error_percent, var.limits.availability, var.limits.cpu_percent, var.limits.memory_percent, var.limits.disk_percent] : limit > 0 && limit <= 100])
    error_message = "limits: error_percent, availability, cpu_percent, memory_percent and disk_percent are percentages above 0 and up to 100."
  }
}

variable "monthly_budget" {
  description = "US dollars a month that the project may cost; a warning goes out at 80 % spent and at 100 % forecast. 0: no budget. What carries the provider's default tag Environment counts; without such a tag, the whole account."
  type        = number

  validation {
    condition     = var.monthly_budget >= 0
    error_message = "monthly_budget must be 0 or more, in US dollars."
  }
}

variable "log_retention_days" {
  description = "Days that logs of nodes and pods are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or whole years up to ten."
  }
}

variable "addon_version" {
  description = "Version of the CloudWatch agent's add-on. Null: EKS's own choice."
  type        = string
  default     = null
}
