"""The proxy under the rules: mitmproxy's protocol layers, with our own acceptor, tunnels and hooks around them."""
