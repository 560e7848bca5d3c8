"""What no schema knows: settings.py PROGRAM.

Asks a server whether it takes the settings of compose.yaml and of the deployment, and looks whether times and names
fit together."""

import os
import pathlib
import subprocess
import sys
import tempfile

import yaml

program = sys.argv[1]
# What is known only where it runs.
elsewhere = {"WSMIO_BACKPLANE": "rediss://:secret@redis:6379", "WSMIO_NODE_NAME": "ws-mio-server-7d9c-x2v5q"}


def check(whose, settings):
    """Fails unless the server takes these settings."""
    assert settings, f"{whose}: no settings"
    environment = {**os.environ, **settings}
    done = subprocess.run([program, "check-config"], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{whose}: {done.stdout}{done.stderr}")


def seconds(text):
    """A time such as 30s."""
    assert text.endswith("s"), f"{text}: seconds are due"
    return int(text[:-1])


def fits(condition, what):
    """Fails unless it does."""
    if not condition:
        sys.exit(f"it does not fit together: {what}")


with tempfile.TemporaryDirectory() as folder:
    keys = pathlib.Path(folder, "jwks.json")
    subprocess.run([program, "token", "--jwks", keys, "--generate", "--user", "a"], check=True, capture_output=True)
    for name, service in yaml.safe_load(open("compose.yaml"))["services"].items():
        if name.startswith("ws-"):
            settings = service["environment"]
            check(name, {"WSMIO_LISTEN": "0.0.0.0:8080", **settings})
            grace, drain = seconds(service["stop_grace_period"]), seconds(settings["WSMIO_DRAIN"])
            fits(grace > drain + 5, f"{name} gets {grace} s to stop and needs {drain} s to drain")
    manifests = [each for file in pathlib.Path("kubernetes").glob("*.yaml") for each in yaml.safe_load_all(file.open())]
    kinds = {each["kind"]: each for each in manifests if "kind" in each}
    deployment = kinds["Deployment"]
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    settings = {entry["name"]: entry.get("value") or elsewhere[entry["name"]] for entry in container["env"]}
    check("deployment", {**settings, "WSMIO_AUTH_JWKS": str(keys)})
    stopping = container["lifecycle"]["preStop"]["sleep"]["seconds"] + seconds(settings["WSMIO_DRAIN"])
    grace = template["spec"]["terminationGracePeriodSeconds"]
    fits(grace > stopping + 5, f"pods get {grace} s to stop and need {stopping} s")
    labels = template["metadata"]["labels"]
    for kind, selector in {
        "Deployment": deployment["spec"]["selector"]["matchLabels"],
        "Service": kinds["Service"]["spec"]["selector"],
        "NetworkPolicy": kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        "PodDisruptionBudget": kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    }.items():
        fits(selector.items() <= labels.items(), f"{kind} selects {selector}, pods are {labels}")
    target = kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
    fits(target == deployment["metadata"]["name"], f"nothing is called {target}")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for name, setting in {"http": "WSMIO_LISTEN", "admin": "WSMIO_ADMIN_LISTEN"}.items():
        fits(settings[setting].endswith(f":{ports[name]}"), f"port {name} is {ports[name]}, not {settings[setting]}")
    scraped = template["metadata"]["annotations"]["prometheus.io/port"]
    fits(scraped == str(ports["admin"]), f"metrics are at {ports['admin']}, not {scraped}")
