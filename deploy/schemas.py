"""Holds deploy/kubernetes*, and deploy/compose*, against the schemas of their kind. Run by deploy/check."""

import pathlib
import sys

import kubernetes_validate
import yaml
from compose_spec import PyCompose

# The oldest Kubernetes with everything that is used, and the newest that the schemas are there for.
VERSIONS = ["1.30", "1.37"]

deploy = pathlib.Path(__file__).parent
wrong = []


def kubernetes(folder):
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    there = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml", "config.yaml"}
    if there != set(kustomization["resources"]):
        wrong.append(f"{folder.name}: kustomization.yaml names {sorted(kustomization['resources'])}, there is {sorted(there)}")
    for name in sorted(there):
        for document in yaml.safe_load_all((folder / name).read_text()):
            what = f"{folder.name}/{name}: {document['kind']} {document['metadata']['name']}"
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(document, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    wrong.append(f"{what}, Kubernetes {version}: {error}")
            print(what)


def compose(file):
    text = file.read_text()
    try:
        # It knows no merge keys.
        PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(text))).to_spec()
    except ValueError as error:
        wrong.append(f"{file.parent.name}: {error}")
        return
    # What the schema does not see: names that nothing has.
    content = yaml.safe_load(text)
    services = content["services"]
    for name, service in services.items():
        needed = list(service.get("depends_on", []))
        if service.get("network_mode", "").startswith("service:"):
            needed.append(service["network_mode"].removeprefix("service:"))
        wrong.extend(f"{name} needs a service {other}" for other in needed if other not in services)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                if not (file.parent / source).exists():
                    wrong.append(f"{name} mounts {source}, which is not there")
            elif source not in content["volumes"]:
                wrong.append(f"{name} mounts {source}, which is no volume")
    print(f"{file.parent.name}: {', '.join(services)}")


for folder in ["kubernetes", "kubernetes-replicas"]:
    kubernetes(deploy / folder)
for folder in ["compose", "compose-replicas"]:
    compose(deploy / folder / "docker-compose.yaml")
for line in wrong:
    print(f"wrong: {line}", file=sys.stderr)
sys.exit(1 if wrong else 0)
