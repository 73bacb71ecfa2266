// No program: its CustomResourceDefinitions, by which the tests check a policy.
module pipeline.invalid/tools/kyverno

go 1.26.8

require github.com/kyverno/kyverno v1.19.1
