output "url" {
  description = "Where the service answers."
  value       = local.https ? "https://${var.domain}" : "http://${aws_lb.this.dns_name}"
}

output "dns_name" {
  description = "The load balancer's own name."
  value       = aws_lb.this.dns_name
}

output "dns_zone_id" {
  description = "Zone of the load balancer's own name, for alias records."
  value       = aws_lb.this.zone_id
}

output "load_balancer_id" {
  description = "Load balancer as CloudWatch's metrics name it."
  value       = aws_lb.this.arn_suffix
}

output "target_group_id" {
  description = "Target group as CloudWatch's metrics name it."
  value       = aws_lb_target_group.nodes.arn_suffix
}
