"""The API server of a cluster: reached with what a kubeconfig says, asked within bounds, and believed in nothing."""
