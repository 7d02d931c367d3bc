"""What a run spent, in the words of OpenAI's two APIs: totals over all model calls, whoever made them."""

from __future__ import annotations

from ...messages import Json, Usage


def chat_usage(usage: Usage) -> dict[str, Json]:
    """As Chat Completions count it: cached tokens are part of the prompt's, reasoning of the completion's.

    Example:
        >>> chat_usage(Usage(calls=2, input=5, cache_read=3, output=4))["prompt_tokens"]
        8
    """
    prompt, cached = _input(usage)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.tokens,
        "prompt_tokens_details": cached,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def response_usage(usage: Usage) -> dict[str, Json]:
    """As Responses count it."""
    prompt, cached = _input(usage)
    return {
        "input_tokens": prompt,
        "input_tokens_details": cached,
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.tokens,
    }


def _input(usage: Usage) -> tuple[int, dict[str, Json]]:
    read, written = usage.cache_read, usage.cache_write
    return usage.input + read + written, {"cached_tokens": read, "cache_write_tokens": written}
