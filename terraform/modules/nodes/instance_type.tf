# What a plan knows of the instance type, so that AWS need not refuse it once the cluster stands.

# Also the refusal of a type that there is not.
data "aws_ec2_instance_type" "node" {
  instance_type = var.instance_type
}

data "aws_ec2_instance_type_offerings" "node" {
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = [var.instance_type]
  }
}

locals {
  # EC2 user guide, "Instance type naming conventions": a g after the generation is Graviton, as is a1.
  architecture     = can(regex("^(a1|[a-z-]+[0-9]+[a-z]*g[a-z]*)\\.", var.instance_type)) ? "arm64" : "x86_64"
  ami_architecture = strcontains(var.ami_type, "ARM_64") ? "arm64" : "x86_64"

  # Zones that do not have the type. No zone at all is said by the data source above.
  without_type = length(data.aws_ec2_instance_type_offerings.node.locations) == 0 ? [] : setsubtract(var.zones, data.aws_ec2_instance_type_offerings.node.locations)

  # Pods that a node has addresses for (EKS user guide, "Choosing an instance type", the formula of max pods).
  interfaces   = data.aws_ec2_instance_type.node.maximum_network_interfaces
  pods_of_node = local.interfaces * (data.aws_ec2_instance_type.node.maximum_ipv4_addresses_per_interface - 1) + 2

  # Of every node: aws-node, kube-proxy, eks-pod-identity-agent, cloudwatch-agent, fluent-bit.
  pods_on_every_node = 5

  # Of the cluster: coredns and metrics-server twice each, and the controller of the CloudWatch agents.
  pods_of_cluster = 5
}
