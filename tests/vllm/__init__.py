"""Tests against a real vLLM on the CPU; `make test-vllm` alone runs them."""
