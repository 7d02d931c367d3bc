"""Models: OpenAI and every compatible server, a scripted double, and a loopback server to test against."""
