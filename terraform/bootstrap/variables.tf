variable "region" {
  description = "Region that keeps the state. One bootstrap for each region that must stand when the other is lost."
  type        = string
  default     = "us-west-1"
}

variable "project" {
  description = "Prefix of the names of bucket and lock table."
  type        = string
  default     = "simpletimeservice"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,24}$", var.project))
    error_message = "project must be 3 to 25 lower-case letters, digits and dashes, and begin with a letter: the bucket's name is made from it."
  }
}

variable "bucket" {
  description = "Name of the state bucket. Null: PROJECT-state-ACCOUNT-REGION."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || (can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket)) && !strcontains(coalesce(var.bucket, "-"), ".."))
    error_message = "bucket must be 3 to 63 lower-case letters, digits, dashes and dots, begin and end with a letter or digit, and hold no two dots together: S3 refuses any other."
  }
}

variable "old_version_days" {
  description = "Days that an old version of a state is kept, to go back to."
  type        = number
  default     = 90

  validation {
    condition     = var.old_version_days >= 30
    error_message = "old_version_days must be at least 30: a damaged state is not always noticed the same week."
  }
}

variable "github_oidc" {
  description = "Make the account's one OIDC provider for GitHub Actions. False in a second region, or where the account has it."
  type        = bool
  default     = true
}
