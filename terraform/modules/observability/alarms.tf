# One alarm for each of the architecture's key metrics that AWS measures by itself.

locals {
  alb     = { LoadBalancer = var.load_balancer_id }
  targets = { LoadBalancer = var.load_balancer_id, TargetGroup = var.target_group_id }
  nodes   = { ClusterName = var.cluster_name }

  alarms = {
    request-rate = {
      description = "Requests beyond what ten replicas were measured for"
      namespace   = "AWS/ApplicationELB", metric = "RequestCount", dimensions = local.alb, statistic = "Sum", percentile = null
      threshold   = var.limits.requests_per_second * 60, unless_data = "notBreaching"
    }
    response-time = {
      description = "The slowest hundredth of answers takes longer than the architecture promises"
      namespace   = "AWS/ApplicationELB", metric = "TargetResponseTime", dimensions = local.alb, statistic = null, percentile = "p99"
      threshold   = var.limits.p99_seconds, unless_data = "notBreaching"
    }
    active-connections = {
      description = "Connections beyond what ten replicas were measured for"
      namespace   = "AWS/ApplicationELB", metric = "ActiveConnectionCount", dimensions = local.alb, statistic = "Sum", percentile = null
      threshold   = var.limits.connections, unless_data = "notBreaching"
    }
    unhealthy-nodes = {
      description = "A node does not answer the load balancer's health check"
      namespace   = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = local.targets, statistic = "Maximum", percentile = null
      threshold   = 0, unless_data = "breaching"
    }
    cpu = {
      description = "Processors of the nodes"
      namespace   = "ContainerInsights", metric = "node_cpu_utilization", dimensions = local.nodes, statistic = "Average", percentile = null
      threshold   = var.limits.cpu_percent, unless_data = "missing"
    }
    memory = {
      description = "Memory of the nodes"
      namespace   = "ContainerInsights", metric = "node_memory_utilization", dimensions = local.nodes, statistic = "Average", percentile = null
      threshold   = var.limits.memory_percent, unless_data = "missing"
    }
    network = {
      description = "Bytes a second of a node, near the baseline of a t3.medium"
      namespace   = "ContainerInsights", metric = "node_network_total_bytes", dimensions = local.nodes, statistic = "Average", percentile = null
      threshold   = var.limits.network_bytes, unless_data = "missing"
    }
    disk-operations = {
      description = "Disk operations of a node, near the baseline of a gp3 volume"
      namespace   = "ContainerInsights", metric = "node_diskio_io_serviced_total", dimensions = local.nodes, statistic = "Average", percentile = null
      threshold   = var.limits.disk_operations, unless_data = "missing"
    }
    disk-space = {
      description = "File systems of the nodes"
      namespace   = "ContainerInsights", metric = "node_filesystem_utilization", dimensions = local.nodes, statistic = "Maximum", percentile = null
      threshold   = var.limits.disk_percent, unless_data = "missing"
    }
  }

  # Shares of all requests: an answer of 5xx, by a pod or by the load balancer for want of one, is a request not served.
  shares = {
    error-rate = {
      description = "Percent of requests answered with an error of the server"
      expression  = "100 * (FILL(pod, 0) + FILL(balancer, 0)) / requests"
      comparison  = "GreaterThanThreshold", threshold = var.limits.error_percent
    }
    availability = {
      description = "Percent of requests served, against the service level agreed"
      expression  = "100 - 100 * (FILL(pod, 0) + FILL(balancer, 0)) / requests"
      comparison  = "LessThanThreshold", threshold = var.limits.availability
    }
  }

  counts = {
    requests = "RequestCount"
    pod      = "HTTPCode_Target_5XX_Count"
    balancer = "HTTPCode_ELB_5XX_Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "metric" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = each.value.unless_data
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "share" {
  for_each = local.shares

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "share"
    label       = each.key
    expression  = each.value.expression
    return_data = true
  }

  dynamic "metric_query" {
    for_each = local.counts

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = local.alb
        period      = 60
        stat        = "Sum"
      }
    }
  }
}
