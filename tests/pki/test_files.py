"""Certificate and key that the site supplies: taken over when they are good, refused when not."""

from __future__ import annotations

from pathlib import Path

import pytest

from roles.pki.settings import FilesSettings, PkiSettings
from tests.pki.node import Node, openssl
from tests.pki.test_renewal import is_sound, key_of


class Site:
    """A site with a root of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.root, self.key, self.certificate = (
            folder / name for name in ("root.pem", "site.key", "site.pem")
        )
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *("-subj", "/CN=site root", "-keyout", folder / "root.key", "-out", self.root),
        )
        self.issue()

    def issue(self, names: str = "DNS:gpu-01", days: int = 90) -> None:
        request = self.folder / "csr"
        openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *("-subj", "/CN=gateway", "-addext", f"subjectAltName={names}"),
            *("-keyout", self.key, "-out", request),
        )
        openssl(
            *("x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self.folder / "root.key"),
            *("-days", days, "-copy_extensions", "copy", "-out", self.certificate),
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def supplied(tmp_path: Path, settings: PkiSettings, site: Site) -> Node:
    files = FilesSettings(certificate=str(site.certificate), key=str(site.key))
    declared = settings.model_copy(
        update={"source": "files", "root_file": str(site.root), "files": files}
    )
    made = Node(tmp_path / "supplied", declared)
    made.lay_down()
    made.certify()
    return made


def test_the_sites_pair_is_taken_and_nodes_have_their_own(supplied: Node, site: Site) -> None:
    assert key_of(supplied, "gateway") == openssl("pkey", "-in", site.key, "-pubout")
    assert is_sound(supplied, "node")
    assert not (supplied.etc / "authority/gateway.pem").exists()
    assert supplied.run("pki-renew", "--due") == ""


def test_a_new_pair_is_taken_over(supplied: Node, site: Site) -> None:
    site.issue()
    supplied.run("pki-renew")
    assert key_of(supplied, "gateway") == openssl("pkey", "-in", site.key, "-pubout")


def _other_key(site: Site) -> None:
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", site.key)


def _other_name(site: Site) -> None:
    site.issue(names="DNS:gpu-02")


def _ended(site: Site) -> None:
    site.issue(days=-1)


def _another_root(site: Site) -> None:
    other = Site(site.folder / "other")
    site.key.write_text(other.key.read_text())
    site.certificate.write_text(other.certificate.read_text())


def _passphrase(site: Site) -> None:
    openssl("pkey", "-in", site.key, "-aes256", "-passout", "pass:x", "-out", f"{site.key}.new")
    Path(f"{site.key}.new").rename(site.key)


def _cut_short(site: Site) -> None:
    site.issue()
    site.certificate.write_bytes(site.certificate.read_bytes()[:200])


def _gone(site: Site) -> None:
    site.certificate.unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_other_key, "the private key does not belong to the certificate"),
        (_other_name, "the certificate is not for gpu-01"),
        (_ended, "certificate has expired"),
        (_another_root, "root.pem does not vouch for the certificate"),
        (_passphrase, "has a passphrase, which nobody is there to type"),
        (_cut_short, "gateway: "),
        (_gone, "No such file"),
    ],
)
def test_a_bad_pair_is_refused_and_the_old_one_stays(
    supplied: Node, site: Site, spoil: object, said: str
) -> None:
    before = (supplied.etc / "gateway.pem").read_bytes()
    assert callable(spoil)
    spoil(site)
    assert said in supplied.run("pki-renew", fails=True)
    assert (supplied.etc / "gateway.pem").read_bytes() == before
    assert "gateway" in supplied.run("pki-renew", "--due")


def test_a_wildcard_of_the_site_is_for_the_names_below_it(supplied: Node, site: Site) -> None:
    site.issue(names="DNS:*.example.org")
    supplied.settings = supplied.settings.model_copy(update={"names": ("chat.example.org",)})
    supplied.lay_down()
    supplied.run("pki-renew")
