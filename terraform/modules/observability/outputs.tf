output "log_key_arn" {
  description = "KMS key for logs of this region."
  value       = aws_kms_key.logs.arn
}

output "topic_arn" {
  description = "Topic that alarms and budget warnings go to."
  value       = aws_sns_topic.alarms.arn
}
