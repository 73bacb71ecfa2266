data "aws_region" "current" {}

output "cluster_name" {
  description = "Cluster to deploy to."
  value       = module.cluster.name
}

output "cluster_endpoint" {
  description = "Address of the API server."
  value       = module.cluster.endpoint
}

output "url" {
  description = "Where the service answers."
  value       = module.ingress.url
}

output "node_networks" {
  description = "Address ranges of the nodes: what the NetworkPolicy of the service must admit, since NodePort traffic arrives from them."
  value       = module.network.private_cidrs
}

output "application_role_arn" {
  description = "Role of the application's service account."
  value       = module.identity.application_role_arn
}

output "overlay" {
  description = "What the manifests have to know of this region, for `shipseal overlay`, which writes it into them. The role is null where pods get theirs by Pod Identity, which asks for no annotation."
  value = {
    namespace       = var.application.namespace
    service_account = var.application.service_account
    role_arn        = var.application.identity == "irsa" ? module.identity.application_role_arn : null
    node_networks   = module.network.private_cidrs
    deploy_group    = var.application.deploy_group
  }
}

output "cluster_autoscaler_role_arn" {
  description = "Role of the Cluster Autoscaler's service account."
  value       = module.identity.cluster_autoscaler_role_arn
}

output "deploy_role_arn" {
  description = "Role that GitHub Actions takes to deploy; null without github."
  value       = module.identity.deploy_role_arn
}

output "health_check_id" {
  description = "Health check of this region's failover record; null when the region stands alone."
  value       = one(module.recovery[*].health_check_id)
}

output "pipeline_toml" {
  description = "What pipeline.toml says of this cluster, ready to paste; in comments what the job that applies has to know."
  value       = <<-TOML
    [deploy]
    kubernetes = "${module.cluster.version}"
    # cluster ${module.cluster.name} in ${data.aws_region.current.name}
    # role    ${coalesce(module.identity.deploy_role_arn, "none: set github")}
    # url     ${module.ingress.url}
  TOML
}
