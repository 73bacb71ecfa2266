# One page: the three groups of the architecture's metrics, side by side.

locals {
  in_alb  = ["LoadBalancer", var.load_balancer_id]
  in_node = ["ClusterName", var.cluster_name]

  graphs = [
    { title = "Requests a minute", metrics = [concat(["AWS/ApplicationELB", "RequestCount"], local.in_alb, [{ stat = "Sum" }])] },
    { title = "Response time, p50 and p99", metrics = [for stat in ["p50", "p99"] : concat(["AWS/ApplicationELB", "TargetResponseTime"], local.in_alb, [{ stat = stat }])] },
    { title = "Errors of the server", metrics = [for code in ["Target", "ELB"] : concat(["AWS/ApplicationELB", "HTTPCode_${code}_5XX_Count"], local.in_alb, [{ stat = "Sum" }])] },
    { title = "Connections, active and new (the nearest to user sessions)", metrics = [for metric in ["Active", "New"] : concat(["AWS/ApplicationELB", "${metric}ConnectionCount"], local.in_alb, [{ stat = "Sum" }])] },
    { title = "CPU and memory of the nodes, percent", metrics = [for metric in ["cpu", "memory"] : concat(["ContainerInsights", "node_${metric}_utilization"], local.in_node, [{ stat = "Average" }])] },
    { title = "Network of the nodes, bytes a second", metrics = [concat(["ContainerInsights", "node_network_total_bytes"], local.in_node, [{ stat = "Average" }])] },
    { title = "Disk operations of the nodes", metrics = [concat(["ContainerInsights", "node_diskio_io_serviced_total"], local.in_node, [{ stat = "Average" }])] },
    {
      title = "Availability, percent",
      metrics = [
        [{ id = "availability", expression = "100 - 100 * (FILL(pod, 0) + FILL(balancer, 0)) / requests" }],
        concat(["AWS/ApplicationELB", "RequestCount"], local.in_alb, [{ id = "requests", stat = "Sum", visible = false }]),
        concat(["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"], local.in_alb, [{ id = "pod", stat = "Sum", visible = false }]),
        concat(["AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"], local.in_alb, [{ id = "balancer", stat = "Sum", visible = false }]),
      ]
    },
    {
      title = "Dollars a million requests, were the whole budget spent",
      metrics = [
        # A month has 43,800 minutes of budget.
        [{ id = "cost", expression = "1000000 * ${var.monthly_budget} / 43800 / (requests / (PERIOD(requests) / 60))" }],
        concat(["AWS/ApplicationELB", "RequestCount"], local.in_alb, [{ id = "requests", stat = "Sum", visible = false }]),
      ]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for index, graph in local.graphs : {
        type       = "metric"
        x          = 8 * (index % 3)
        y          = 6 * floor(index / 3)
        width      = 8
        height     = 6
        properties = { title = graph.title, metrics = graph.metrics, region = local.region, period = 60, view = "timeSeries" }
      }
    ]
  })
}
