"""The scan of what is pushed: git says what is new, gitleaks whether a secret is in it."""
