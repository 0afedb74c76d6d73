"""The kinds of engines that the role knows, a module for each."""

from roles.inference.engines.fastchat import KIND as _FASTCHAT
from roles.inference.engines.kind import Kind, Place
from roles.inference.engines.llamacpp import KIND as _LLAMACPP
from roles.inference.engines.sglang import KIND as _SGLANG
from roles.inference.engines.tensorrt_llm import KIND as _TENSORRT_LLM
from roles.inference.engines.tgi import KIND as _TGI
from roles.inference.engines.triton import KIND as _TRITON
from roles.inference.engines.vllm import KIND as _VLLM

__all__ = ["KINDS", "Kind", "Place"]

KINDS: dict[str, Kind] = {
    "vllm": _VLLM,
    "sglang": _SGLANG,
    "llamacpp": _LLAMACPP,
    "triton": _TRITON,
    "tensorrt_llm": _TENSORRT_LLM,
    "tgi": _TGI,
    "fastchat": _FASTCHAT,
}
