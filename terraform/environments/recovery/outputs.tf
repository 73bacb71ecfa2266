output "cluster_name" {
  description = "Cluster to deploy to."
  value       = module.region.cluster_name
}

output "region" {
  description = "Region of the cluster."
  value       = var.region
}

output "url" {
  description = "Where the service answers."
  value       = module.region.url
}

output "node_networks" {
  description = "Address ranges of the nodes: what the NetworkPolicy of the service must admit, since NodePort traffic arrives from them."
  value       = module.region.node_networks
}

output "application_role_arn" {
  description = "Role of the application's service account."
  value       = module.region.application_role_arn
}

output "overlay" {
  description = "What the manifests have to know of this region: `terraform output -json overlay` to `shipseal overlay k8s/overlays/recovery`, which writes it into them."
  value       = module.region.overlay
}

output "cluster_autoscaler_role_arn" {
  description = "Role of the Cluster Autoscaler's service account."
  value       = module.region.cluster_autoscaler_role_arn
}

output "deploy_role_arn" {
  description = "Role that GitHub Actions takes to deploy; null without github_repository."
  value       = module.region.deploy_role_arn
}

output "pipeline_toml" {
  description = "What pipeline.toml says of this cluster, ready to paste; in comments what the job that applies has to know."
  value       = module.region.pipeline_toml
}

output "health_check_id" {
  description = "Health check that decides whether this region's record is given out; null without a domain."
  value       = module.region.health_check_id
}
