"""Nodes in memory, that understand the commands a switch sends."""

from __future__ import annotations

import json
import re

from flightline.serving import state as states
from flightline.serving.switch.fleet import Fleet
from flightline.serving.switch.node import Lost
from flightline.serving.switch.run import Run
from flightline.serving.switch.targets import Gateway, Service, Targets
from flightline.serving.upstreams import Upstream
from tests.unit.serving.switch.world import GIB, MODEL, World


class Died(BaseException):
    """The operator's computer is gone, in the middle of anything."""


class StillClock:
    """Time passes only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, 0.001)


def run_of(world: World, told: list[str] | None = None) -> Run:
    """Return a fresh command upon this world: nothing is remembered from an earlier one."""
    heard = told if told is not None else []
    services = tuple(_service(key, 9000 + 10 * n) for n, key in enumerate(world.services))
    gateways = tuple(
        Gateway(name, "https://127.0.0.1:8443", tuple(world.services)) for name in world.gateways
    )
    targets = Targets(MODEL, "/srv/models", services, gateways)
    nodes = {name: SimulatedNode(world, name) for name in targets.nodes}
    fleet = Fleet(targets, nodes, StillClock())
    typed = "flightline model switch lab.py --model tiny"
    return Run(fleet, typed, lambda *line: heard.append(" ".join(line)))


def _service(key: str, port: int) -> Service:
    node, _, name = key.partition("/")
    return Service(Upstream(node, None, name, MODEL, (), port, None, "/health"))


class SimulatedNode:
    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    def run(
        self, command: str, stdin: str = "", *, timeout_seconds: float = 60
    ) -> tuple[int, str, str]:
        world = self._world
        if self._name in world.dead:
            raise Lost(self._name, "no route to host")
        world.commands += 1
        number = world.commands
        world.interrupt(number, self._name, "before")
        world.arrive()
        answer = self._answer(command, stdin)
        world.log.append(f"{self._name}: {command[:60]} -> {answer[0]}")
        world.watch()
        world.interrupt(number, self._name, "after")
        return answer

    def _answer(self, command: str, stdin: str) -> tuple[int, str, str]:
        if command.startswith("/usr/local/lib/flightline/gateway-ctl "):
            return self._gateway(re.findall(r"'([^']*)'", command))
        for pattern, answer in (
            (r"MemAvailable", self._look),
            (r"^cat /var/lib/flightline/serving/(\S+)\.json", self._read),
            (r"mktemp /var/lib/flightline/serving/\.(\S+)\.XXXXXX", self._write),
            (r"^/usr/local/lib/flightline/model-verify", lambda *_: (0, "", "")),
            (r"^/usr/local/lib/flightline/engine-slot (\S+) (\S) (\S+)$", self._prepare),
            (r"systemctl start --no-block flightline-engine@(\S+)-([ab])\.service", self._start),
            (r"systemctl stop flightline-engine@(\S+)-([ab])\.service", self._stop),
            (r"is-active flightline-engine@(\S+)-([ab])\.service.*NRestarts", self._ready),
            (r"ln -sfn (\S+) /srv/models/tiny/\.current", self._link),
            (r"journalctl", lambda *_: (0, "the engine's last words\n", "")),
            (r"127\.0\.0\.1:(\d+)/v1/chat/completions", self._chat),
        ):
            if found := re.search(pattern, command):
                return answer(found, command, stdin)
        raise AssertionError(f"nobody knows this command: {command}")

    def _key(self, service: str) -> str:
        return f"{self._name}/{service}"

    def _look(self, found: re.Match[str], command: str, stdin: str) -> tuple[int, str, str]:
        service = re.findall(r"flightline-engine@(\S+)-a\.service", command)[0]
        slots = self._world.slots[self._key(service)]
        return (
            0,
            f"unit-a {slots['a'].unit}\nunit-b {slots['b'].unit}\n"
            f"memory {self._world.memory_kib}\nversion yes\nsize {GIB}\nimage\n"
            f"state\n{self._world.states[self._key(service)]}",
            "",
        )

    def _read(self, found: re.Match[str], command: str, stdin: str) -> tuple[int, str, str]:
        return 0, self._world.states.get(self._key(found[1]), ""), ""

    def _write(self, found: re.Match[str], command: str, stdin: str) -> tuple[int, str, str]:
        states.loads(stdin, "what was written")
        self._world.states[self._key(found[1])] = stdin
        return 0, "", ""

    def _prepare(self, found: re.Match[str], command: str, stdin: str) -> tuple[int, str, str]:
        held = json.loads(self._world.states[self._key(found[1])])[found[2]]
        return (0, "", "") if held == found[3] else (1, "", f"the state says {held}")

    def _start(self, found: re.Match[str], command: str, stdin: str) -> tuple[int, str, str]:
        key, letter = self._key(found[1]), found[2]
        slot = self._world.slots[key]["a" if letter == "a" else "b"]
        slot.is_enabled = "systemctl enable" in command
        if slot.unit != "active":
            slot.version = json.loads(self._world.states[key])[letter]
            slot.unit = "failed" if slot.version in {None, *self._world.broken} else "active"
        return 0, "", ""

    def _stop(self, found: re.Match[str], command: str, stdin: str) -> tuple[int, str, str]:
        world, server = self._world, f"{self._name}.{found[1]}-{found[2]}"
        slot = world.slots[self._key(found[1])]["a" if found[2] == "a" else "b"]
        if slot.unit == "active" and any(each[server] > 0 for each in world.weights.values()):
            world.cut.append(server)
        slot.was_up = slot.was_up or slot.unit == "active"
        slot.unit, slot.is_enabled = "inactive", False
        return 0, "", ""

    def _ready(self, found: re.Match[str], command: str, stdin: str) -> tuple[int, str, str]:
        slot = self._world.slots[self._key(found[1])]["a" if found[2] == "a" else "b"]
        return 0, f"{slot.unit} 0 {'200' if slot.unit == 'active' else '000'}\n", ""

    def _link(self, found: re.Match[str], command: str, stdin: str) -> tuple[int, str, str]:
        self._world.links[self._name] = found[1]
        return 0, "", ""

    def _chat(self, found: re.Match[str], command: str, stdin: str) -> tuple[int, str, str]:
        world, port = self._world, int(found[1])
        slots = world.slots[world.services[(port - 9000) // 10]]
        slot = slots["b" if port % 10 else "a"]
        if slot.unit != "active":
            return 7, "" if "date" not in command else "1000000000\n", "refused"
        text = world.answers.get(slot.version or "", "fine")
        if json.loads(stdin).get("stream"):
            sent = 1_000_000_000
            came = sent + int(world.slow.get(slot.version or "", 0.05) * 1e9)
            chunk = json.dumps({"choices": [{"delta": {"content": text}}]})
            return 0, f"{sent}\n{came} data: {chunk}\n{came} data: [DONE]\n", ""
        body = {
            "model": MODEL,
            "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        }
        return 0, f"{json.dumps(body)}\n200 0.1\n", ""

    def _gateway(self, commands: list[str]) -> tuple[int, str, str]:
        if self._name in self._world.silent:
            return 1, "", "gateway-ctl: the gateway does not answer"
        printed = ""
        for each in commands:
            if each == "show stat":
                printed += self._stat()
            elif each.startswith("show servers state model.tiny"):
                printed += self._servers()
            elif found := re.fullmatch(r"set server model\.tiny/(\S+) weight (\d+)", each):
                self._world.weights[self._name][found[1]] = int(found[2])
                self._world.watch()
            else:
                raise AssertionError(each)
        return 0, printed, ""

    def _stat(self) -> str:
        lines = [
            "# pxname,svname,qcur,scur,lbtot,econ,eresp,wretr,hrsp_5xx,cli_abrt,srv_abrt,rtime,"
            "status",
            "clients,FRONTEND,,1,,,,,0,,,,OPEN",
        ]
        for server in self._world.weights[self._name]:
            slot = self._world.slot(server)
            status = "UP" if self._world.seems_up(server) else "DOWN"
            lines.append(
                f"model.tiny,{server},0,0,{slot.requests},0,0,0,{slot.errors},0,0,5,{status}"
            )
        return "\n".join(lines) + "\n"

    def _servers(self) -> str:
        lines = [
            "1",
            "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight",
        ]
        for number, (server, weight) in enumerate(self._world.weights[self._name].items()):
            state = 2 if self._world.seems_up(server) else 0
            lines.append(f"3 model.tiny {number} {server} 127.0.0.1 {state} 0 {weight}")
        return "\n".join(lines) + "\n"
