"""A secret header goes to its mirror alone, wherever that redirects to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flightline.serving.manifest import Manifest
from tests.models.conftest import Node, model
from tests.models.mirror import Mirror
from tests.models.test_http import same

Weights = Callable[..., tuple[Path, Manifest]]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Mirror]:
    """A second mirror of the same files, which takes nobody's secret."""
    server = Mirror(tmp_path / "elsewhere", tmp_path / "mirror")
    yield server
    server.stop()


REFUSING = "if ($http_authorization$http_private_token) { return 400; }"


def test_a_redirect_is_followed_without_the_header(
    node: Node, mirror: Mirror, elsewhere: Mirror, weights: Weights, tmp_path: Path
) -> None:
    folder, made = weights()
    header = tmp_path / "header"
    header.write_text("authorization: Bearer of-the-site\n\n")
    base = mirror.start(
        'if ($http_authorization != "Bearer of-the-site") { return 403; } '
        f"return 302 {elsewhere.start(REFUSING)}$request_uri;"
    )
    node.declare(model(base, made), header_file=str(header))
    done = node.fetch()
    assert done.returncode == 0, done.stderr
    assert same(folder, node.store / "chat" / "1")


@pytest.mark.parametrize("more", ["", "Authorization: Bearer of-the-site\n"])
def test_a_header_that_curl_would_send_on_meets_no_redirect(
    *, node: Node, mirror: Mirror, elsewhere: Mirror, weights: Weights, tmp_path: Path, more: str
) -> None:
    folder, made = weights()
    header = tmp_path / "header"
    header.write_text(f"{more}PRIVATE-TOKEN: of-the-site\n")
    token = 'if ($http_private_token != "of-the-site") { return 403; }'
    base = mirror.start(f"{token} return 302 {elsewhere.start(REFUSING)}$request_uri;")
    node.declare(model(base, made), header_file=str(header))
    done = node.fetch()
    assert done.returncode == 1
    assert elsewhere.sent() == []
    assert len(done.stderr.splitlines()) == 1
    assert "manifest.json: redirects, and a header other than Authorization" in done.stderr
    assert "ModelsSettings.header_file" in done.stderr
    assert "of-the-site" not in done.stdout + done.stderr
    mirror.start(token)
    assert node.fetch().returncode == 0
    assert same(folder, node.store / "chat" / "1")
