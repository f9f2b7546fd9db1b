"""The pages: rendered on the server, useful without scripts, nothing loaded from elsewhere."""
