"""Files as they land on a node, from `templates/<role>/`; an undefined name is an error."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from flightline import project
from flightline.errors import FlightlineError


def render(source: str, /, **values: Any) -> str:
    """Return `templates/<source>` filled in, as "kernel/etc/sysctl.d/90-flightline.conf.j2".

    A block tag leaves no empty line behind; the file's last newline is kept. Raises
    FlightlineError, one sentence with file and line, for a missing template, a name without a
    value, or bad syntax.
    """
    folder = project.root() / "templates"
    try:
        return _environment(folder).get_template(source).render(values)
    except jinja2.TemplateNotFound as error:
        raise FlightlineError(
            f"{folder}: there is no template {error.name}; name it relative to that folder."
        ) from None
    except jinja2.TemplateSyntaxError as error:
        raise FlightlineError(f"templates/{error.name}:{error.lineno}: {error.message}.") from None
    except jinja2.UndefinedError as error:
        raise FlightlineError(
            f"templates/{source}: {error.message}; pass it to render() or correct the name."
        ) from None


@lru_cache(maxsize=4)
def _environment(folder: Path) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML: escaping would corrupt them
    )
