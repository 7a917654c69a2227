"""Words that would steer the decision or what follows it. The text never sets policy: one that tries stays inside."""

import re

from ragapp.gateway.base import Signal
from ragapp.gateway.signals.base import Outgoing, by_rules

_OBEY_ME = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|skip|turn off|disable)\b.{0,40}\b(?:instruction|rule|polic|filter|"
    r"restriction|guardrail|safety|previous|prior|above|system|check|gate)\w*"
    r"|\b(?:system|developer|admin(?:istrator)?|root)\s*(?:prompt|message|mode|override|note)\b"
    r"|\b(?:you are now|act as|pretend (?:to be|that|you)|role-?play|jailbr\w+|dan mode|do anything now|unfiltered|"
    r"no restrictions|without (?:any )?(?:restriction|filter|limit)\w*)\b"
    r"|\b(?:reveal|repeat|print|show|leak|output|dump)\b.{0,30}\b(?:prompt|instructions|system message|secret|"
    r"password|api key|context|training data)\b"
)
_SEND_IT = re.compile(
    r"\b(?:route|send|escalate|forward|upload|post|submit|exfiltrat\w*|transmit|use)\b.{0,40}\b(?:cloud|outside|"
    r"external|openai|anthropic|gpt(?:-?\d\w*)?|chatgpt|claude|gemini|proprietary model|stronger model|webhook|"
    r"https?|url|server|endpoint)\b"
    r"|\bthis (?:question |text |is )*(?:generic|public|not sensitive|harmless|safe to send|cleared|approved)\b"
    r"|\b(?:verdict|sensitivity|classification|label)\s*[:=]"
)
# What is longer than these bounds is denied for its form.
_TURNS = re.compile(
    r"<\|?/?\w+\|?>|\[/?(?:inst|sys\w*)\]|^#{1,6}\s*(?:system|instruction|assistant|user)\b|^(?:system|assistant|user|"
    r"human)\s*:|```|\{\{.{0,1500}?\}\}|!\[.{0,1500}?\]\(",
    re.MULTILINE,
)

_RULES = (
    ("It gives orders about rules or prompts.", _OBEY_ME),
    ("It asks to be sent or passed off as harmless.", _SEND_IT),
    ("It holds marks of a prompt's own format.", _TURNS),
)


class Injection:
    """Denies text that gives orders to the system, or that looks like a turn of a conversation of its own."""

    name = "injection"

    def look(self, outgoing: Outgoing) -> Signal:
        """DENY or CLEAN."""
        held = (evidence for evidence, pattern in _RULES if pattern.search(outgoing.plain))
        return by_rules(self.name, held, otherwise="It gives no orders.")
