"""Names that a deploy has in a cluster: others see them in managed fields, in leases and among ConfigMaps. Pure."""

MANAGER = "supply-chain-pipeline"
"""The field manager of everything that is applied (kubernetes.io, "Server-Side Apply", "Managers")."""

FIRST_REPLICAS = f"{MANAGER}-replicas"
"""The field manager that writes `spec.replicas` once, at creation, and never again."""

LEASE = "deploy"
"""The lease that keeps two deploys of one namespace apart."""

INVENTORY = "deploy-inventory"
"""The ConfigMap that names what belongs to a deploy (KEP-3659, the parent of an ApplySet)."""

TOOLING = f"{MANAGER}/v1"
"""What the inventory says of who may change it (`applyset.kubernetes.io/tooling`)."""
