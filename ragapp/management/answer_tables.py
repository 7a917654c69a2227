"""A run over answers as Markdown tables, for a terminal and for docs/quality.md."""

from collections.abc import Iterator, Mapping
from typing import Any

_STAGES = ("retrieve", "check", "first_token", "cite", "total")


def lines_of(report: Mapping[str, Any], *, head: str) -> Iterator[str]:
    """The tables of an AnswersReport as it was stored; `head` names the run."""
    questions = report["questions"]
    failed = sum(bool(each["error"]) for each in questions)
    trouble = f", {failed} failed" if failed else ""
    yield f"{head}: {len(questions)} questions{trouble}, {report['documents']} documents, {report['chunks']} passages\n"
    yield "| measure | mean [95 %] | questions |"
    yield "|---|---|---|"
    for name, value in report["measures"].items():
        count = sum(name in each["measures"] for each in questions)
        yield f"| {name} | {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}] | {count} |"
    latency = report["latency_ms"]
    stages = [stage for stage in _STAGES if stage in latency]
    yield "\n| s: median / p95 | " + " | ".join(stages) + " |"
    yield "|---|" + "---|" * len(stages)
    yield (
        "| | " + " | ".join("{:.2f} / {:.2f}".format(*(ms / 1000 for ms in latency[stage])) for stage in stages) + " |"
    )
    read, cached, written = (report["tokens"][name] for name in ("read", "read_from_cache", "written"))
    cost = f"; cost {report['cost']:.4f}" if report["cost"] else ""
    yield f"\n{read} tokens read ({cached} from the cache), {written} written{cost}"
