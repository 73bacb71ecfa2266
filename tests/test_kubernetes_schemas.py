"""What takes seconds to be imported, and no schema of Kubernetes asks for, is imported by whoever does ask."""

import subprocess
import sys

FIRST = "import sys; from shipseal.deploying.kubernetes_schemas import kubernetes_validate; "


def said(program: str) -> str:
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_parsers_of_iris_are_not_made_for_a_manifest() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": {"containers": [{"name": "one"}]}}
    judged = f"kubernetes_validate.validate({pod}, '1.35', strict=True); "
    assert said(f"{FIRST}{judged}print('lark' in sys.modules, 'rfc3987_syntax' in sys.modules)") == "False False"


def test_who_asks_whether_a_text_is_an_iri_is_answered_all_the_same() -> None:
    asked = "[jsonschema.Draft7Validator.FORMAT_CHECKER.conforms(text, 'iri') for text in ('urn:x', '<>')]"
    assert said(f"{FIRST}import jsonschema; print({asked})") == "[True, False]"
