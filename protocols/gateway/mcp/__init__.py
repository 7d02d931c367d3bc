"""The teams as tools of the Model Context Protocol, over stdio and HTTP, in both of its eras."""
