"""A push: its rules and scan before anything is kept (pre-receive), then on to the upstream (proc-receive)."""
