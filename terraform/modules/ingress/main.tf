# The one way in: an internet-facing load balancer to the NodePort of the nodes.

resource "aws_security_group" "alb" {
  name        = "${var.name}-alb"
  description = "Load balancer: 80 and 443 from anywhere, to the nodes and nowhere else"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-alb" }
}

resource "aws_vpc_security_group_ingress_rule" "public" {
  # checkov:skip=CKV_AWS_260: port 80 is open by design: it redirects to HTTPS, or serves where there is no domain
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.alb.id
  description       = "${upper(each.key)} from anywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_egress_rule" "to_nodes" {
  security_group_id            = aws_security_group.alb.id
  description                  = "To the nodes' NodePort"
  referenced_security_group_id = var.node_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.node_port
  to_port                      = var.node_port
}

resource "aws_vpc_security_group_ingress_rule" "nodes_from_alb" {
  security_group_id            = var.node_security_group_id
  description                  = "NodePort from the load balancer only"
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = var.node_port
  to_port                      = var.node_port
}

resource "aws_lb" "this" {
  # checkov:skip=CKV2_AWS_20: the listener redirects when there is a domain; the check cannot see through the dynamic block
  # checkov:skip=CKV2_AWS_76: AWSManagedRulesKnownBadInputsRuleSet is among the rules; the check cannot see through the dynamic block
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.alb.id]
  idle_timeout               = var.idle_timeout
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection

  access_logs {
    bucket  = aws_s3_bucket.logs.id
    enabled = true
  }

  # AWS tries the bucket when access logs are switched on.
  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_lb_target_group" "nodes" {
  # checkov:skip=CKV_AWS_378: TLS ends at the load balancer; only its security group reaches the NodePort
  name                 = var.name
  target_type          = "instance"
  vpc_id               = var.vpc_id
  protocol             = "HTTP"
  port                 = var.node_port
  deregistration_delay = var.deregistration_delay

  health_check {
    protocol            = "HTTP"
    path                = var.health.path
    interval            = var.health.interval
    timeout             = var.health.timeout
    healthy_threshold   = 2
    unhealthy_threshold = 2
    matcher             = "200"
  }
}

resource "aws_autoscaling_attachment" "nodes" {
  # checkov:skip=CKV2_AWS_15: the group is EKS's, which replaces nodes by their own health; one unready pod must not end a node
  for_each = var.autoscaling_group_names

  autoscaling_group_name = each.value
  lb_target_group_arn    = aws_lb_target_group.nodes.arn
}

resource "aws_lb_listener" "http" {
  # checkov:skip=CKV_AWS_2: redirects to HTTPS as soon as there is a domain to have a certificate for
  # checkov:skip=CKV_AWS_103: redirects to HTTPS as soon as there is a domain to have a certificate for
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  dynamic "default_action" {
    for_each = local.https ? [] : [true]

    content {
      type             = "forward"
      target_group_arn = aws_lb_target_group.nodes.arn
    }
  }

  dynamic "default_action" {
    for_each = local.https ? [true] : []

    content {
      type = "redirect"

      redirect {
        protocol    = "HTTPS"
        port        = "443"
        status_code = "HTTP_301"
      }
    }
  }
}
