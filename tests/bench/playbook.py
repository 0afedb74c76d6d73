"""The same work as an Ansible playbook: files, packages, services, in ansible-core's own modules.

One task per file is how Ansible does it: a loop is one connection round per item as well. Our
hooks become handlers. ansible-core has no sysctl module, so the drop-in and a handler stand in for
it: less work than ours, which also compares the live values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Task = dict[str, Any]


def playbook(desired: Sequence[dict[str, Any]]) -> list[Task]:
    """Return the playbook that does the recorded operations, in their order."""
    tasks: list[Task] = []
    handlers: dict[str, str] = {}
    for operation in desired:
        tasks += _TASKS[operation["kind"]](operation, handlers)
    return [
        {
            "hosts": "all",
            "become": True,
            "gather_facts": False,
            "tasks": tasks,
            "handlers": [
                {"name": name, "ansible.builtin.shell": command}
                for name, command in handlers.items()
            ],
        }
    ]


def _bundle(operation: dict[str, Any], handlers: dict[str, str]) -> list[Task]:
    hooks: list[dict[str, Any]] = operation["hooks"]
    for hook in hooks:
        handlers[hook["command"]] = hook["command"]
    tasks = []
    for item in operation["items"]:
        task = _item(item)
        if notify := list(_notified(item["path"], hooks)):
            task["notify"] = notify
        tasks.append(task)
    return tasks


def _notified(path: str, hooks: Sequence[dict[str, Any]]) -> Iterator[str]:
    for hook in hooks:
        if not hook["paths"] or path in hook["paths"]:
            yield hook["command"]


def _item(item: dict[str, Any]) -> Task:
    owner: Task = {key: item[key] for key in ("owner", "group") if key in item}
    body: Task
    match item["kind"]:
        case "Directory":
            body = {"path": item["path"], "state": "directory", "mode": "0" + item["mode"], **owner}
            return {"name": item["path"], "ansible.builtin.file": body}
        case "Link":
            body = {"dest": item["path"], "src": item["target"], "state": "link", "force": True}
            return {"name": item["path"], "ansible.builtin.file": body}
        case "Absent":
            body = {"path": item["path"], "state": "absent"}
            return {"name": item["path"], "ansible.builtin.file": body}
    body = {"dest": item["path"], "content": item["content"], "mode": "0" + item["mode"], **owner}
    validate = item.get("validate") or ""
    if validate and "\n" not in validate and "%" not in validate:  # theirs runs without a shell
        body["validate"] = validate.replace("{staged}", "%s")
    return {"name": item["path"], "ansible.builtin.copy": body}


def _packages(operation: dict[str, Any], _handlers: dict[str, str]) -> list[Task]:
    body = {"name": operation["packages"], "install_recommends": False, "update_cache": False}
    return [{"name": "packages", "ansible.builtin.apt": body}]


def _services(operation: dict[str, Any], _handlers: dict[str, str]) -> list[Task]:
    return [
        {"name": service["unit"], "ansible.builtin.systemd_service": _service(service)}
        for service in operation["wanted"]
    ]


def _service(service: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"name": service["unit"]}
    if service["running"] is not None:
        body["state"] = "started" if service["running"] else "stopped"
    if service["enabled"] is not None:
        body["enabled"] = service["enabled"]
    if service["masked"]:
        body["masked"] = True
    return body


_TASKS = {"bundle": _bundle, "installed": _packages, "services": _services}
