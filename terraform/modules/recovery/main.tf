# One region's half of a failover pair. Each region's own state holds its half, so that neither needs the other to change.

resource "aws_route53_health_check" "this" {
  type              = "HTTPS"
  fqdn              = var.load_balancer.dns_name
  port              = 443
  resource_path     = var.health_path
  request_interval  = 30
  failure_threshold = 3
  enable_sni        = true

  tags = { Name = var.name }
}

resource "aws_route53_record" "this" {
  zone_id         = var.zone_id
  name            = var.domain
  type            = "A"
  set_identifier  = var.name
  health_check_id = aws_route53_health_check.this.id

  failover_routing_policy {
    type = var.role
  }

  alias {
    name                   = var.load_balancer.dns_name
    zone_id                = var.load_balancer.dns_zone_id
    evaluate_target_health = true
  }
}
