variable "name" {
  description = "Name of the stack, and prefix of everything in it: simpletimeservice-production."
  type        = string
}

variable "network" {
  description = "Address ranges, zones, and how many NAT gateways (\"per-zone\" or \"one\"). The defaults are the architecture's."
  type = object({
    cidr          = optional(string, "10.0.0.0/16")
    zones         = optional(list(string), ["us-west-1a", "us-west-1b"])
    public_cidrs  = optional(list(string), ["10.0.1.0/24", "10.0.2.0/24"])
    private_cidrs = optional(list(string), ["10.0.11.0/24", "10.0.12.0/24"])
    nat           = optional(string, "per-zone")
  })
  default = {}
}

variable "cluster" {
  description = "Version of Kubernetes, and the networks that may reach the API server from the internet (none: private)."
  type = object({
    version             = optional(string, "1.35")
    allow_ended_version = optional(bool, false)
    public_access_cidrs = optional(list(string), [])
  })
  default = {}
}

variable "nodes" {
  description = "The nodes. The defaults are the architecture's, on Amazon Linux 2023."
  type = object({
    instance_type = optional(string, "t3.medium")
    capacity_type = optional(string, "ON_DEMAND")
    size          = optional(object({ min = number, desired = number, max = number }), { min = 2, desired = 2, max = 4 })
    disk_gb       = optional(number, 50)
    ami_type      = optional(string, "AL2023_x86_64_STANDARD")
  })
  default = {}
}

variable "administrators" {
  description = "ARNs of the IAM roles or users that administer the cluster. Nobody else does, not even who made it."
  type        = set(string)

  validation {
    condition     = length(var.administrators) > 0 && alltrue([for arn in var.administrators : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/([A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,64}$", arn))])
    error_message = "administrators must hold at least one ARN of an IAM role or user, such as arn:aws:iam::111122223333:role/admin, with its path and no wildcard: without one nobody could use the cluster."
  }
}

variable "application" {
  description = "Namespace and service account of the application, what AWS it may use (JSON, null: nothing), how it gets its role (\"irsa\" or \"pod-identity\"), and the group that RBAC in the cluster knows whoever deploys it by."
  type = object({
    namespace       = optional(string, "simpletimeservice")
    service_account = optional(string, "simpletimeservice")
    policy          = optional(string)
    identity        = optional(string, "irsa")
    deploy_group    = optional(string, "simpletimeservice-deployers")
  })
  default = {}

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.application.namespace)) && can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.application.service_account))
    error_message = "application: namespace and service_account must be names that Kubernetes takes, lower-case letters, digits and dashes: EKS refuses to give a role to any other."
  }
}

variable "github" {
  description = "Repository (\"owner/name\") and GitHub environment whose jobs may deploy. Null: no deploy role."
  type        = object({ repository = string, environment = string })
  default     = null
}

variable "domain" {
  description = "Name that the service answers to by HTTPS, the Route 53 zone that holds it, and this region's part in a failover pair (PRIMARY, SECONDARY; null: alone). Null: plain HTTP on the load balancer's own name."
  type = object({
    name    = string
    zone_id = optional(string)
    role    = optional(string)
  })
  default = null
}

variable "web_acl" {
  description = "Put AWS WAF in front, with a limit on requests of one address in five minutes (0: none)."
  type        = object({ enabled = optional(bool, false), rate_limit = optional(number, 0) })
  default     = {}
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer and its logs. To tear down, apply false first."
  type        = bool
  default     = true
}

variable "alarms" {
  description = "Addresses that alarms go to, US dollars a month that the project may cost (0: no budget), and limits (see module observability)."
  type = object({
    emails         = optional(set(string), [])
    monthly_budget = number
    limits         = optional(map(number), {})
  })
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 365
}
