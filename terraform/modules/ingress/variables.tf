variable "name" {
  description = "Name of the load balancer and prefix of what belongs to it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !startswith(var.name, "internal-")
    error_message = "name must be 3 to 32 lower-case letters, digits and dashes, begin with a letter, not end with a dash and not begin with \"internal-\": load balancers allow no more."
  }
}

variable "vpc_id" {
  description = "VPC of the load balancer."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets, in at least two zones."
  type        = list(string)
}

variable "node_security_group_id" {
  description = "Security group of the nodes; it gets the one rule that lets the load balancer in."
  type        = string
}

variable "autoscaling_group_names" {
  description = "Autoscaling groups whose nodes are targets, under names that do not change."
  type        = map(string)
}

variable "node_port" {
  description = "NodePort of the Kubernetes Service."
  type        = number
  default     = 30080

  validation {
    condition     = var.node_port >= 30000 && var.node_port <= 32767
    error_message = "node_port must be between 30000 and 32767, the range that Kubernetes gives to Services."
  }
}

variable "health" {
  description = "What the load balancer asks each node for, and how often, in seconds."
  type = object({
    path     = optional(string, "/health")
    interval = optional(number, 30)
    timeout  = optional(number, 5)
  })
  default = {}

  validation {
    condition     = startswith(var.health.path, "/") && var.health.interval >= 5 && var.health.interval <= 300 && var.health.timeout >= 2 && var.health.timeout <= 120 && var.health.timeout < var.health.interval
    error_message = "health: path must begin with /, interval lie between 5 and 300 seconds, and timeout between 2 and 120 and be shorter than interval."
  }
}

variable "idle_timeout" {
  description = "Seconds that an idle connection is kept. The architecture's \"request timeout\" too: a load balancer has no other."
  type        = number
  default     = 60

  validation {
    condition     = var.idle_timeout >= 1 && var.idle_timeout <= 4000
    error_message = "idle_timeout must be between 1 and 4000 seconds: a load balancer takes no other."
  }
}

variable "deregistration_delay" {
  description = "Seconds that a node which leaves may finish its requests."
  type        = number
  default     = 30

  validation {
    condition     = var.deregistration_delay >= 0 && var.deregistration_delay <= 3600
    error_message = "deregistration_delay must be between 0 and 3600 seconds: a target group takes no other."
  }
}

variable "domain" {
  description = "Name that the service answers to by HTTPS, in the hosted zone zone_id. Null: plain HTTP on the load balancer's own name."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null || (can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain)) && try(length(var.domain) <= 64, false))
    error_message = "domain must be a lower-case host name such as time.example.com, of at most 64 letters: AWS gives no certificate for a longer one."
  }

  validation {
    condition     = (var.domain == null) == (var.zone_id == null)
    error_message = "domain and zone_id go together: a domain needs the id of the Route 53 public zone that holds it, to prove the certificate and to point at the load balancer."
  }
}

variable "zone_id" {
  description = "Route 53 public hosted zone that holds domain."
  type        = string
  default     = null
}

variable "own_record" {
  description = "Point domain at this load balancer by a plain record. False: a failover record does (module recovery)."
  type        = bool
  default     = true
}

variable "prove_domain" {
  description = "Keep the DNS record that proves the certificate. One region of two does; the record is the same for both."
  type        = bool
  default     = true
}

variable "web_acl" {
  description = "Put AWS WAF in front, with AWS's common and known-bad-input rules and a limit on requests of one address (0: none) in five minutes."
  type = object({
    enabled    = optional(bool, false)
    rate_limit = optional(number, 0)
  })
  default = {}

  validation {
    condition     = var.web_acl.rate_limit == 0 || var.web_acl.rate_limit >= 10
    error_message = "web_acl.rate_limit must be 0 (none) or at least 10, the least that AWS WAF takes."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer and its logs. To tear down, apply false first."
  type        = bool
  default     = true
}

variable "log_days" {
  description = "Days that access logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.log_days >= 1 && floor(var.log_days) == var.log_days
    error_message = "log_days must be a whole number of days, at least 1: S3 expires no earlier."
  }
}
