"""git-gate, a sidecar of a bottle: serves its git upstreams to the agent and checks what the agent pushes to them."""
