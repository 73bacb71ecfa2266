"""An emulated AWS for one test run: moto's server with what Terraform needs of EKS and what moto leaves out.

``python -m tests.cloud.emulator`` listens on a free port of 127.0.0.1, prints its address, and
forgets everything when it ends. Nothing here reaches a network.
"""
