# Everything that one region needs to serve, from network to alarms. Each environment is one of these.

module "network" {
  source = "../network"

  name               = var.name
  cluster_name       = var.name
  cidr               = var.network.cidr
  zones              = var.network.zones
  public_cidrs       = var.network.public_cidrs
  private_cidrs      = var.network.private_cidrs
  nat                = var.network.nat
  log_key_arn        = module.observability.log_key_arn
  log_retention_days = var.log_retention_days
}

module "identity" {
  source = "../identity"

  name              = var.name
  cluster_name      = var.name
  oidc_provider_arn = module.cluster.oidc_provider_arn
  oidc_issuer       = module.cluster.oidc_issuer
  workload_identity = var.application.identity
  github            = var.github

  application = {
    namespace       = var.application.namespace
    service_account = var.application.service_account
    policy          = var.application.policy
  }
}

module "cluster" {
  source = "../cluster"

  name                = var.name
  kubernetes_version  = var.cluster.version
  allow_ended_version = var.cluster.allow_ended_version
  public_access_cidrs = var.cluster.public_access_cidrs
  role_arn            = module.identity.cluster_role_arn
  subnet_ids          = module.network.private_subnet_ids
  zones               = var.network.zones
  access              = local.access
  log_key_arn         = module.observability.log_key_arn
  log_retention_days  = var.log_retention_days
}

locals {
  # By the whole ARN: two roles may end alike, in other paths or other accounts.
  administrators = {
    for arn in var.administrators : "administrator ${arn}" => {
      principal_arn = arn
      policy        = "ClusterAdmin"
      groups        = []
    }
  }

  # Deploys get a group and no policy of EKS's, of which the least (Edit) is far more than they need: what the group may do is
  # a Role in the cluster (k8s/platform), which the administrators make with the namespace.
  deploys = var.github == null ? {} : {
    deploy = {
      principal_arn = module.identity.deploy_role_arn
      policy        = null
      groups        = [var.application.deploy_group]
    }
  }

  access = merge(local.administrators, local.deploys)
}

module "nodes" {
  source = "../nodes"

  name                      = var.name
  cluster_name              = module.cluster.ready_for_nodes
  kubernetes_version        = module.cluster.version
  cluster_security_group_id = module.cluster.security_group_id
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.private_subnet_ids
  zones                     = var.network.zones
  role_arn                  = module.identity.node_role_arn
  instance_type             = var.nodes.instance_type
  capacity_type             = var.nodes.capacity_type
  size                      = var.nodes.size
  disk_gb                   = var.nodes.disk_gb
  ami_type                  = var.nodes.ami_type
  addon_versions            = module.cluster.addon_versions
}

module "ingress" {
  source = "../ingress"

  name                    = var.name
  vpc_id                  = module.network.vpc_id
  subnet_ids              = module.network.public_subnet_ids
  node_security_group_id  = module.nodes.security_group_id
  autoscaling_group_names = { nodes = module.nodes.autoscaling_group_name }
  domain                  = try(var.domain.name, null)
  zone_id                 = try(var.domain.zone_id, null)
  own_record              = try(var.domain.role, null) == null
  prove_domain            = try(var.domain.role, null) != "SECONDARY"
  web_acl                 = var.web_acl
  deletion_protection     = var.deletion_protection
}

module "recovery" {
  source = "../recovery"
  count  = try(var.domain.role, null) == null ? 0 : 1

  name    = var.name
  role    = var.domain.role
  domain  = var.domain.name
  zone_id = var.domain.zone_id

  load_balancer = {
    dns_name    = module.ingress.dns_name
    dns_zone_id = module.ingress.dns_zone_id
  }
}

module "observability" {
  source = "../observability"

  name               = var.name
  cluster_name       = module.nodes.cluster_name
  load_balancer_id   = module.ingress.load_balancer_id
  target_group_id    = module.ingress.target_group_id
  emails             = var.alarms.emails
  monthly_budget     = var.alarms.monthly_budget
  limits             = var.alarms.limits
  addon_version      = lookup(module.cluster.addon_versions, "amazon-cloudwatch-observability", null)
  log_retention_days = var.log_retention_days
}
