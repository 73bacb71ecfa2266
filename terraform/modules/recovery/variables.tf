variable "name" {
  description = "Name of the region's stack, and of its record in the pair."
  type        = string
}

variable "role" {
  description = "PRIMARY answers while it is healthy, SECONDARY when the primary is not."
  type        = string

  validation {
    condition     = contains(["PRIMARY", "SECONDARY"], var.role)
    error_message = "role must be PRIMARY or SECONDARY."
  }
}

variable "domain" {
  description = "Name that both regions answer to."
  type        = string
}

variable "zone_id" {
  description = "Route 53 public hosted zone that holds domain."
  type        = string
}

variable "load_balancer" {
  description = "Load balancer of this region: its own name, and the zone of that name."
  type = object({
    dns_name    = string
    dns_zone_id = string
  })
}

variable "health_path" {
  description = "What Route 53 asks the load balancer for."
  type        = string
  default     = "/health"

  validation {
    condition     = startswith(var.health_path, "/") && length(var.health_path) <= 255
    error_message = "health_path must begin with / and be at most 255 letters: Route 53 takes no other."
  }
}
