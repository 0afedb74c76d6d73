"""The lab's nodes: emulated machines with 2 GiB of memory and no network time.

Once `flightline lab serve` has been typed they serve a tiny model, each behind its own gateway.
"""

from flightline.lab.serving import offered
from group_data.all import base as all_base
from group_data.all import containers as all_containers
from group_data.all import fabric as all_fabric
from group_data.all import gateway as all_gateway
from group_data.all import inference as all_inference
from group_data.all import kernel as all_kernel
from group_data.all import models as all_models
from group_data.all import pki as all_pki
from roles.base.settings import OperatorSettings
from roles.inference.settings import EngineSettings
from roles.models.settings import ModelSettings, ModelVersion

_offer = offered()

# UDP to a time server does not pass the emulated network; an emulated shell is slow (107 ms under
# load, 2026-11-21). The operator is the account that the image comes with.
base = all_base.model_copy(
    update={
        "hostname": "{node}",
        "ntp_servers": (),
        "operators": (OperatorSettings(name="flightline"),),
        "login_shell_max_ms": 500,
    }
)

# 64 pages are 128 MiB: enough to prove that they are there, little enough for 2 GiB.
kernel = all_kernel.model_copy(update={"hugepages_2mib_per_node": 64})

# The lab's disk holds 12 GiB in all.
containers = all_containers.model_copy(
    update={
        "data_root_min_free_gib": 1,
        "insecure_registries": (_offer.registry.seen_by_nodes,) if _offer else (),
    }
)

# Software RoCE on the second network: real RDMA, at the emulator's speed. 4200 bytes let RDMA use
# packets of 4096.
fabric = all_fabric.model_copy(
    update={
        "enabled": "always",
        "soft_roce_interfaces": ("eth1",),
        "ports_expected": 1,
        "link_layer": "Ethernet",
        "roce_gid_index": 1,
        "interface_mtu_bytes": 4200,
        "rdma_mtu_bytes": 4096,
        "nccl_socket_interface": "eth1",
    }
)

pki, models, inference, gateway = all_pki, all_models, all_inference, all_gateway
if _offer is not None:
    # Clients come to 127.0.0.1 of the computer that runs the lab.
    pki = all_pki.model_copy(
        update={
            "enabled": True,
            "names": ("{node}", "localhost", "127.0.0.1"),
            "authority_folder": str(_offer.authority_folder),
        }
    )
    _versions = tuple(
        ModelVersion(version=version, source=_offer.source(version), manifest_sha256=digest)
        for version, digest in _offer.versions.items()
    )
    # The first is served; the others are there to be switched to. The disk holds 12 GiB in all.
    _model = ModelSettings(name=_offer.model, versions=_versions, serve=_versions[0].version)
    models = all_models.model_copy(update={"models": (_model,), "free_gib_min": 1})
    _engine = EngineSettings(
        name="chat",
        engine="llamacpp",
        image=_offer.image,
        model=_offer.model,
        port=18000,
        context_tokens=256,
        concurrency_max=2,
        shm_gib=1,
        # Two threads wait for one another by spinning: on a crowded computer, where an emulated
        # processor loses its turn, four tokens took 5 s (2026-11-21).
        extra_arguments=("--threads", "1"),
        start_timeout_seconds=300,
    )
    # Lab nodes are there to be changed, and `flightline lab serve` makes a new image each week.
    inference = all_inference.model_copy(update={"engines": (_engine,), "restart_allowed": True})
    # A health check must be answered within its interval; an emulated TLS handshake on a crowded
    # computer took over 1 s (2026-11-21).
    gateway = all_gateway.model_copy(
        update={
            "enabled": True,
            "restart_allowed": True,
            "health_interval_seconds": 5,
            "keys_file": str(_offer.keys_file),
        }
    )
