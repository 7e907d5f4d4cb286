"""A stand-in for a Kubernetes cluster: its API, as far as the worker uses it, and one node.

Strict: a request, parameter or field that it does not know is noted, and fails the tests.
"""
