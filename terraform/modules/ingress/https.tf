# With a domain: a certificate that renews itself, HTTPS, and a name.

locals {
  https = var.domain != null
}

data "aws_route53_zone" "this" {
  count = local.https ? 1 : 0

  zone_id = var.zone_id

  lifecycle {
    postcondition {
      condition     = var.domain == trimsuffix(self.name, ".") || endswith(var.domain, ".${trimsuffix(self.name, ".")}")
      error_message = "${var.domain} does not lie in the zone ${self.name} (${var.zone_id}). Set zone_id to the zone that holds it."
    }

    postcondition {
      condition     = self.private_zone != true
      error_message = "The zone ${var.zone_id} is private: nobody outside could prove or find ${var.domain} in it. Set zone_id to a public zone."
    }
  }
}

resource "aws_acm_certificate" "this" {
  count = local.https ? 1 : 0

  domain_name       = var.domain
  validation_method = "DNS"

  # A listener holds the old one until the new one is there.
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # One name, so one proof; which one it is only AWS knows, so it cannot be a for_each.
  proof = try(one(aws_acm_certificate.this[0].domain_validation_options), null)
}

resource "aws_route53_record" "proof" {
  count = local.https && var.prove_domain ? 1 : 0

  zone_id = data.aws_route53_zone.this[0].zone_id
  name    = local.proof.resource_record_name
  type    = local.proof.resource_record_type
  records = [local.proof.resource_record_value]
  ttl     = 60

  # AWS gives every certificate of one name and account the same proof.
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  count = local.https ? 1 : 0

  certificate_arn         = aws_acm_certificate.this[0].arn
  validation_record_fqdns = var.prove_domain ? [aws_route53_record.proof[0].fqdn] : null
}

resource "aws_lb_listener" "https" {
  count = local.https ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.this[0].certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.nodes.arn
  }
}

resource "aws_route53_record" "alias" {
  count = local.https && var.own_record ? 1 : 0

  zone_id = data.aws_route53_zone.this[0].zone_id
  name    = var.domain
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}
