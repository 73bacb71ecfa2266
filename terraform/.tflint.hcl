# Every rule of tflint's own ruleset for the language, not only the recommended ones.

plugin "terraform" {
  enabled = true
  preset  = "all"
}
