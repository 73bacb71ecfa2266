output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Public subnets, in the order of zones."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}

output "private_cidrs" {
  description = "Address ranges of the private subnets, in the order of zones: where the nodes' addresses, and so NodePort traffic, come from."
  value       = [for zone in var.zones : aws_subnet.private[zone].cidr_block]
}

output "private_subnet_ids" {
  description = "Private subnets, in the order of zones."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]

  # Nodes that start before their way out exists cannot join the cluster.
  depends_on = [aws_route.nat, aws_route_table_association.private]
}
