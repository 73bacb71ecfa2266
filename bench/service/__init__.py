"""Measure the service beside other servers, in one run, on one machine, with one client."""
