"""Breaks the parts of a whole installation while documents come and go, and counts what was lost."""
