"""Names in the machine's hosts file."""

from __future__ import annotations

from pathlib import Path

from extractor.network.hosts import SystemHosts


def test_a_name_in_the_machines_hosts_file_is_found_whatever_else_stands_there(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(
        "# a comment\n127.0.0.1 localhost\nnonsense here\n10.1.2.3\tIntranet.example.com wiki # wiki\n::1 ip6\n"
    )
    hosts = SystemHosts(file)

    assert hosts.find("intranet.EXAMPLE.com") == ["10.1.2.3"]
    assert hosts.find("here") == []
    assert hosts.find("elsewhere.com") == []


def test_a_changed_hosts_file_is_read_again_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    hosts = SystemHosts(file)
    before = hosts.find("a.com")

    file.write_text("192.0.2.1 a.com\n")

    assert before == []
    assert hosts.find("a.com") == ["192.0.2.1"]
