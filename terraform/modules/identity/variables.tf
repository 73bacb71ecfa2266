variable "name" {
  description = "Prefix of every role."
  type        = string
}

variable "cluster_name" {
  description = "Cluster that the roles are for."
  type        = string
}

variable "oidc_provider_arn" {
  description = "OIDC provider of the cluster's service accounts, for IRSA."
  type        = string
}

variable "oidc_issuer" {
  description = "Issuer of the cluster's service account tokens, without https://."
  type        = string
}

variable "workload_identity" {
  description = "How pods get their role: \"irsa\" (the architecture's), or \"pod-identity\", which needs no OIDC trust per cluster."
  type        = string
  default     = "irsa"

  validation {
    condition     = contains(["irsa", "pod-identity"], var.workload_identity)
    error_message = "workload_identity must be \"irsa\" or \"pod-identity\"."
  }
}

variable "application" {
  description = "Service account of the application, and what AWS it may use (an IAM policy as JSON; null: nothing, it answers the time)."
  type = object({
    namespace       = string
    service_account = string
    policy          = optional(string)
  })
  default = { namespace = "simpletimeservice", service_account = "simpletimeservice" }
}

variable "github" {
  description = "Repository (\"owner/name\") and GitHub environment whose jobs may deploy. Null: no deploy role."
  type = object({
    repository  = string
    environment = string
  })
  default = null

  validation {
    condition     = var.github == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github.repository))
    error_message = "github.repository must be \"owner/name\", with no wildcard: it says who may deploy."
  }

  validation {
    condition     = var.github == null || can(regex("^[A-Za-z0-9._-]+$", var.github.environment))
    error_message = "github.environment must be the name of one GitHub environment, with no wildcard."
  }
}
