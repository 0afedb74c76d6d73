"""The proof that a gateway answers: a real prompt, through it, as a client sends one."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from testinfra.host import Host

from flightline.audit.check import ACCEPTANCE, CRITICAL, check, not_applicable, unknown
from flightline.serving import layout
from roles.gateway.log_settings import PromptSettings
from roles.gateway.settings import GatewaySettings

_SCRIPT = Path(__file__).with_name("prompt.sh").read_text(encoding="utf-8")
_ROOT = f"{layout.PKI}/root.pem"


def script(settings: GatewaySettings) -> str:
    """Return the trial for these settings."""
    prompt = settings.prompt
    body = {
        "messages": [{"role": "user", "content": prompt.text}],
        "max_tokens": prompt.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    values = {
        "port": str(settings.port),
        "address": "127.0.0.1" if settings.address == "*" else settings.address,
        "certificate": layout.GATEWAY_CERTIFICATE,
        "root": _ROOT,
        "keys": layout.GATEWAY_KEYS,
        "admin": layout.GATEWAY_SOCKET,
        "rest": json.dumps(body)[1:],
        "except": " ".join(prompt.except_models),
        "seconds": str(prompt.timeout_seconds),
    }
    return "\n".join([*(f"{name}={shlex.quote(value)}" for name, value in values.items()), _SCRIPT])


@dataclass(frozen=True)
class Answer:
    """What one model made of the prompt."""

    model: str
    status: int
    """Of HTTP; 0: no answer at all."""
    ttft_seconds: float | None
    """From the request to the first token; None: no token came."""
    tokens_per_second: float | None
    """After the first token; None with fewer than two."""
    is_whole: bool
    """Whether the stream came to its end."""
    why: str = ""
    """What was said in place of an answer."""

    def __str__(self) -> str:
        """Return the figures, as "chat: first token after 0.21 s, 48.0 tokens/s"."""
        rate = self.tokens_per_second
        told = "one token" if rate is None else f"{rate:.1f} tokens/s"
        return f"{self.model}: first token after {self.ttft_seconds or 0:.2f} s, {told}"


def parse(printed: str) -> tuple[Answer, ...]:
    """Return the answers; raises ValueError, saying why, where none could be had.

    A line: "model=chat status=200 began=1795274000000 first=1795274000212 last=1795274001545
    tokens=64 finish=done", times in milliseconds since 1970.
    """
    pairs = [line.partition("=")[::2] for line in printed.splitlines()]
    if ("end", "yes") not in pairs:
        raise ValueError("the trial was cut short")
    for label, value in pairs:
        if label == "trouble":
            raise ValueError(value)
    reasons = dict(value.partition(" ")[::2] for label, value in pairs if label == "why")
    lines = [value.split() for label, value in pairs if label == "model"]
    return tuple(_answer(words[0], words[1:], reasons.get(words[0], "")) for words in lines)


def _answer(model: str, words: list[str], why: str) -> Answer:
    fields = dict(word.split("=", 1) for word in words)
    began, first, last, tokens = (
        int(fields[name]) for name in ("began", "first", "last", "tokens")
    )
    seconds = (last - first) / 1000
    return Answer(
        model=model,
        status=int(fields["status"]),
        ttft_seconds=(first - began) / 1000 if first else None,
        tokens_per_second=(tokens - 1) / max(seconds, 0.001) if first and tokens > 1 else None,
        is_whole=fields["finish"] == "done",
        why=why,
    )


@check(
    "gateway-prompt-answered",
    "every model answers a real prompt through the gateway, as fast as declared",
    severity=CRITICAL,
    phase=ACCEPTANCE,
    remedy="`journalctl -u flightline-gateway`, the engine's own log, then `flightline bench`",
)
def prompt_answered(host: Host, gateway: GatewaySettings) -> None:
    if not gateway.enabled:
        not_applicable("GatewaySettings.enabled is False.")
    if not gateway.public:
        not_applicable("GatewaySettings.public is False: no client enters here.")
    try:
        answers = parse(str(host.run(script(gateway)).stdout))
    except ValueError as error:
        unknown(f"the prompt could not be asked: {error}.")
    if not answers:
        not_applicable("PromptSettings.except_models leaves no model to ask.")
    wrong = [said for each in answers for said in problems(each, gateway.prompt)]
    assert not wrong, "; ".join(wrong)


def problems(answer: Answer, prompt: PromptSettings) -> list[str]:
    """Return what is not as it must be; empty for a sound answer."""
    if answer.status != 200:
        said = f" ({answer.why.strip()})" if answer.why else ""
        return [f"{answer.model} answered with status {answer.status}{said}, expected 200"]
    if answer.ttft_seconds is None:
        return [f"{answer.model} answered without a token, expected text"]
    if not answer.is_whole:
        return [f"{answer.model}: the stream was cut, expected it to end with [DONE]"]
    found = []
    most, least = prompt.ttft_max_seconds, prompt.tokens_per_second_min
    if most is not None and answer.ttft_seconds > most:
        found.append(f"{answer}, expected at most {most} s (PromptSettings.ttft_max_seconds)")
    rate = answer.tokens_per_second
    if least is not None and (rate is None or rate < least):
        found.append(
            f"{answer}, expected at least {least} tokens/s (PromptSettings.tokens_per_second_min)"
        )
    return found
