variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes. The architecture was drawn on 1.28, which AWS has ended; see allow_ended_version."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version must be a minor version such as \"1.35\"."
  }
}

variable "allow_ended_version" {
  description = "Plan a version that AWS no longer offers, such as the architecture's 1.28. The plan is for reading: EKS itself refuses the apply."
  type        = bool
  default     = false
}

variable "role_arn" {
  description = "Role of the control plane."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets for the control plane's network interfaces, in at least two zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must hold subnets in at least two zones: EKS refuses fewer."
  }
}

variable "zones" {
  description = "Availability zones of subnet_ids: a cluster that stands keeps its own. Empty: not looked at."
  type        = list(string)
  default     = []
}

variable "public_access_cidrs" {
  description = "Networks that may reach the API server from the internet. Empty: the endpoint is private, and deploys run inside the VPC."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrnetmask(cidr))])
    error_message = "public_access_cidrs must hold IPv4 ranges such as 203.0.113.0/24."
  }

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "public_access_cidrs must not open the API server to the internet at large: name your own networks, /8 or smaller, or leave it empty for a private endpoint."
  }

  # Two ranges overlap when they are the same network at the shorter of their prefixes.
  validation {
    condition = length(flatten([
      for cidr in var.public_access_cidrs : [
        for reserved in ["0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"] : cidr
        if try(
          cidrhost("${cidrhost(cidr, 0)}/${min(split("/", cidr)[1], split("/", reserved)[1])}", 0) ==
          cidrhost("${cidrhost(reserved, 0)}/${min(split("/", cidr)[1], split("/", reserved)[1])}", 0),
          false
        )
      ]
    ])) == 0
    error_message = "public_access_cidrs are addresses as the internet sees them: EKS refuses private and reserved ranges, such as 10.0.0.0/8. What is inside the VPC reaches the private endpoint without being named."
  }

  validation {
    condition     = length(var.public_access_cidrs) <= 40
    error_message = "public_access_cidrs must hold at most 40 ranges: EKS takes no more."
  }
}

variable "access" {
  description = "Who may use the Kubernetes API: by name, a role, and what gives it rights: an EKS access policy with the namespaces it holds in (empty: the whole cluster), or groups that RBAC in the cluster knows."
  type = map(object({
    principal_arn = string
    policy        = optional(string)
    namespaces    = optional(list(string), [])
    groups        = optional(list(string), [])
  }))
  default = {}

  validation {
    condition     = alltrue([for entry in var.access : entry.policy == null || contains(["View", "Edit", "Admin", "ClusterAdmin"], coalesce(entry.policy, "none"))])
    error_message = "access: policy must be View, Edit, Admin or ClusterAdmin, the names between \"AmazonEKS\" and \"Policy\"."
  }

  validation {
    condition     = alltrue([for entry in var.access : entry.policy != null || (length(entry.groups) > 0 && length(entry.namespaces) == 0)])
    error_message = "access: an entry without a policy needs groups, or it may do nothing, and has no namespaces: where a group holds is RBAC's to say."
  }

  validation {
    condition     = alltrue(flatten([for entry in var.access : [for group in entry.groups : can(regex("^[A-Za-z0-9][A-Za-z0-9:_.-]{0,62}$", group)) && !can(regex("^(system|eks|aws|amazon|iam):", group))]]))
    error_message = "access: a group is up to 63 letters, digits and : _ . - and does not begin with system:, eks:, aws:, amazon: or iam:, which EKS keeps for itself."
  }

  validation {
    condition     = alltrue([for entry in var.access : entry.policy != "ClusterAdmin" || length(entry.namespaces) == 0])
    error_message = "access: ClusterAdmin holds in the whole cluster; give it no namespaces, or choose Admin."
  }

  validation {
    condition     = length(distinct([for entry in var.access : entry.principal_arn])) == length(var.access)
    error_message = "access: each principal_arn once. EKS keeps one entry for a principal and refuses a second."
  }
}

variable "log_key_arn" {
  description = "KMS key that encrypts the control plane's logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the control plane's logs are kept."
  type        = number
  default     = 365
}
