output "health_check_id" {
  description = "Health check that decides whether this region's record is given out."
  value       = aws_route53_health_check.this.id
}
