variable "region" {
  description = "Region of development."
  type        = string
  default     = "us-west-1"
}

variable "zones" {
  description = "Two availability zones of the region."
  type        = list(string)
  default     = ["us-west-1a", "us-west-1b"]
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

variable "node_size" {
  description = "How many nodes: at least, at first, at most. One t3.small holds the add-ons and one pod; without the Cluster Autoscaler, begin with two."
  type        = object({ min = number, desired = number, max = number })
  default     = { min = 1, desired = 1, max = 2 }
}

variable "monthly_budget" {
  description = "US dollars a month, for what carries the tag Environment, that development may cost. The architecture says about 100; its own prices come to more (shipseal cost)."
  type        = number
  default     = 180
}
