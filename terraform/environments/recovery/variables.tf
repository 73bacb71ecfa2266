variable "region" {
  description = "Region that takes over. Its state is kept in a bucket of its own region: the other may be gone."
  type        = string
  default     = "us-west-2"
}

variable "zones" {
  description = "Two availability zones of the region."
  type        = list(string)
  default     = ["us-west-2a", "us-west-2b"]
}

variable "administrators" {
  description = "ARNs of the IAM roles or users that administer the cluster."
  type        = set(string)
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
  default     = "1.35"
}

variable "allow_ended_version" {
  description = "Plan a version that AWS no longer offers, such as the architecture's 1.28. For reading: EKS refuses the apply."
  type        = bool
  default     = false
}

variable "public_access_cidrs" {
  description = "Networks that may reach the API server from the internet. Empty: private, and deploys run inside the VPC."
  type        = list(string)
  default     = []
}

variable "github_repository" {
  description = "Repository (\"owner/name\") whose jobs may deploy here. Null: no deploy role."
  type        = string
  default     = null
}

variable "alarm_emails" {
  description = "Addresses that alarms and budget warnings go to."
  type        = set(string)
  default     = []
}

variable "domain" {
  description = "Name that production answers to. Null: the second region serves on its load balancer's own name."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "Route 53 public hosted zone that holds domain."
  type        = string
  default     = null
}

variable "node_size" {
  description = "How many nodes: at least, at first, at most. It has to carry what production carries."
  type        = object({ min = number, desired = number, max = number })
  default     = { min = 2, desired = 2, max = 4 }
}

variable "monthly_budget" {
  description = "US dollars a month, for what carries the tag Environment, that the second region may cost while it stands."
  type        = number
  default     = 300
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer and its logs. To tear down, apply false first."
  type        = bool
  default     = true
}
