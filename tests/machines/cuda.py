"""What a machine with two CUDA toolkits of NVIDIA's packages says; written for these tests."""

from __future__ import annotations

from flightline.audit.answers import Answer
from roles.cuda.settings import CudaSettings
from roles.cuda.toolkits import SCRIPT

_LIBRARIES = "targets/x86_64-linux/lib/libcudart.so"
SOUND = f"""\
toolkit=/usr/local/cuda-12.8 12.8
toolkit=/usr/local/cuda-13.0 13.0
default=/usr/local/cuda-12.8
mode=manual
shell=/usr/local/cuda/bin/nvcc
library=/usr/local/cuda/lib64/libcudart.so.12 /usr/local/cuda-12.8/{_LIBRARIES}.12.8.90
library=/usr/local/cuda-13.0/lib64/libcudart.so.13 /usr/local/cuda-13.0/{_LIBRARIES}.13.0.48
repository=nvidia
repository=flightline
package=hi  cuda-toolkit-12-8 12.8.1-1
package=hi  cuda-toolkit-13-0 13.0.0-1
end=yes
"""


def settings(name: str) -> CudaSettings:
    """Return what is declared for every such machine."""
    del name
    return CudaSettings(versions=("12.8.1", "13.0"), default="12.8.1", profile=True, linker=True)


def answers(name: str) -> dict[str, Answer]:
    """Return the answer of a machine by label."""
    del name
    return {"cuda-toolkits": Answer(SCRIPT, 0, SOUND.encode())}
