output "bucket" {
  description = "Bucket of the states."
  value       = aws_s3_bucket.state.id
}

output "lock_table" {
  description = "Table of the locks."
  value       = aws_dynamodb_table.locks.name
}

output "backend" {
  description = "What every environment's init is given: terraform init -backend-config=FILE."
  value       = <<-HCL
    bucket         = "${aws_s3_bucket.state.id}"
    dynamodb_table = "${aws_dynamodb_table.locks.name}"
    region         = "${var.region}"
  HCL
}
