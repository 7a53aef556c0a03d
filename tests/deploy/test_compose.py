"""compose.yaml is sound, runs two of every component, and lets nobody reach what he need not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub.installed import installed
from tests.deploy.parts import COMPOSE, DEPLOY, MADE, ROOT, components, compose, make_secrets, secrets_of, services

COMPONENTS = [one.name for one in installed()]
INSIDE = ("database", "broker", "web", "metrics")
each_component = pytest.mark.parametrize("component", COMPONENTS)


def test_it_follows_the_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@each_component
def test_every_component_runs_twice_and_is_asked_whether_it_is_ready(component: str) -> None:
    service = components()[component]
    assert service["command"][:2] == ["run", component]
    assert service["deploy"] == {"replicas": 2}
    assert service["healthcheck"]["test"] == ["CMD", "python", "-m", "hub.health"]
    assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@each_component
def test_a_component_has_its_own_secrets_and_nobody_elses(component: str) -> None:
    of_mail = {"mykey_smtp_password": "smtp_password", "dkim.key": "dkim.key"} if component == "mail" else {}
    assert secrets_of(components()[component]) == of_mail | {
        "ca.pem": "ca.pem",
        "mykey_secret_key": "secret_key",
        "mykey_database_url": "database_url",
        "mykey_role_passwords": f"{component}_role_passwords",
        "mykey_amqp_url": f"{component}_amqp_url",
    }


def test_whom_the_hub_writes_to_can_be_set() -> None:
    """Outages, overdue merges and checkpoints reach nobody otherwise."""
    passed_on = components()["mail"]["environment"]
    for name in ("OPERATOR_MAIL_TO", "CHECKPOINT_MAIL_TO", "SMTP_USER"):
        assert f"MYKEY_{name}" in passed_on
        assert f"MYKEY_{name}=\n" in (DEPLOY / "systemd" / "hub.env").read_text()


@each_component
def test_how_long_messages_are_kept_can_be_set(component: str) -> None:
    """Each process drops old days."""
    assert "MYKEY_MESSAGE_DAYS" in components()[component]["environment"]
    assert "MYKEY_MESSAGE_DAYS=\n" in (DEPLOY / "systemd" / "hub.env").read_text()


def test_an_operator_s_commands_have_what_they_need_and_start_by_hand_alone() -> None:
    service = services()["hub"]
    assert service["profiles"] == ["by-hand"]
    assert service["networks"] == ["database"]
    assert secrets_of(service) == secrets_of(services()["migrate"])
    assert "./deploy/work:/work" in service["volumes"]
    assert service["working_dir"] == "/work"


def test_who_has_the_owner_s_password_is_no_component() -> None:
    owners = [name for name, service in services().items() if "owner_url" in secrets_of(service).values()]
    assert owners == ["migrate", "hub", "backup"]


def test_only_nginx_can_be_reached_from_outside() -> None:
    assert [name for name, service in services().items() if service.get("ports")] == ["nginx"]
    assert {name for name, network in compose()["networks"].items() if network.get("internal")} == set(INSIDE)
    outward = {"outside", "mail_out", "library_out", "partner_out"}
    reaching = {name for name, service in services().items() if outward & set(service.get("networks", []))}
    assert reaching == {"nginx", "mail", "library", "partner"}


@each_component
def test_a_collector_reaches_the_inside_port_where_it_is_told_to_listen(component: str) -> None:
    """And nobody else does by default; nginx is not on that network, nor the servers."""
    service = components()[component]
    assert "metrics" in service["networks"]
    assert service["environment"]["MYKEY_INSIDE_HOST"] == "127.0.0.1"
    attached = {name for name, other in services().items() if "metrics" in other.get("networks", [])}
    assert attached == set(COMPONENTS)


def test_who_faces_the_web_does_not_face_the_database_or_the_broker() -> None:
    assert set(services()["nginx"]["networks"]) == {"outside", "web"}
    doors = {name for name, service in services().items() if "web" in service.get("networks", [])}
    assert doors == {"nginx", "partner", "mail", "operations", "terminal", "portal", "street", "checkout"}
    assert services()["postgres"]["networks"] == ["database"]
    assert services()["rabbitmq"]["networks"] == ["broker"]
    assert "--no-http" in components()["ledger"]["command"]


@pytest.mark.parametrize("name", services())
def test_a_service_may_do_little(name: str) -> None:
    service = services()[name]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    if name not in {"postgres", "rabbitmq"}:  # their images begin as root, to hand their volume to their user
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True


def test_images_are_pinned_to_a_release() -> None:
    images = {service["image"] for service in services().values()} - {"mykey-hub:local"}
    bases = set(re.findall(r"^FROM (\S+)", (DEPLOY / "Containerfile").read_text(), re.MULTILINE))
    assert images
    assert bases
    for image in images | bases:
        assert re.fullmatch(r"\S+:\d+\.\d+(\.\d+)?(-[a-z-]+)?", image), image


def test_everything_that_is_mounted_is_there(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    wanted = {file for service in services().values() for file in secrets_of(service).values()}
    assert wanted <= made
    assert wanted == {one["file"].removeprefix(MADE) for one in compose()["secrets"].values()}
    for service in services().values():
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            if source.startswith("./") and source != f"./{MADE}".rstrip("/"):
                assert (ROOT / source).exists(), source


def test_the_image_is_nobodys_root_and_takes_hashed_packages() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert "--require-hashes" in text
    copied = {word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for word in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    kept = set(re.findall(r"^!(\S+)$", (DEPLOY / "Containerfile.dockerignore").read_text(), re.MULTILINE))
    assert copied == kept
