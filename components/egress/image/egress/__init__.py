"""Egress sidecar of a bottle: holds an agent's HTTP(S) traffic to its rules and puts credentials on."""
