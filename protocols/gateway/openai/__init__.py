"""OpenAI's APIs as a surface of runs: models, Chat Completions and Responses."""
