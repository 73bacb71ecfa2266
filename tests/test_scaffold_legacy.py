"""What `init` reads of projects that pyproject.toml says little of: setup.cfg, setup.py, extras, another Python."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from shipseal.errors import UsageError
from shipseal.scaffold.config_writer import Learned, configuration
from shipseal.scaffold.detection import look
from shipseal.scaffold.plan import ScaffoldPlan, plan
from shipseal.scaffold.project_metadata import ProjectMetadata

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
DJANGO = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
TWO = {"debian-12": "3.11", "debian-13": "3.13"}

SETUP_CFG = """\
[metadata]
name = My_Shop
[options]
python_requires = >=3.8
install-requires =
    flask>=2  # the web
    six==1.17.0; python_version < "4"
setup_requires = setuptools-scm
[options.extras_require]
test = pytest-cov;hypothesis
[options.entry_points]
console_scripts =
    shop = shop.cli:main
"""


def asked(files: Mapping[str, str]) -> ProjectMetadata:
    texts = {name: dedent(text) for name, text in files.items()}
    return ProjectMetadata.read(texts.get("pyproject.toml"), texts)


def planned(files: Mapping[str, str], modules: Mapping[str, str], **more: object) -> ScaffoldPlan:
    return plan(files, modules, ("tests",), "", **more)  # type: ignore[arg-type] # of a test


def test_setup_cfg_says_what_a_project_asks_for() -> None:
    found = asked({"setup.cfg": SETUP_CFG, "setup.py": "from setuptools import setup\nsetup()\n"})
    assert found.name == "my-shop"
    assert found.runtime == ("flask>=2", 'six==1.17.0; python_version < "4"')
    assert found.build == ("setuptools>=40.8.0", "setuptools-scm")
    assert found.test == ("pytest-cov", "hypothesis", "pytest")
    assert (found.scripts, found.python) == ({"shop": "shop.cli:main"}, ">=3.8")
    assert found.where["runtime"] == "setup.cfg install_requires"


def test_a_list_of_setup_cfg_may_lie_in_a_file() -> None:
    text = "[metadata]\nname = a\n[options]\ninstall_requires = file: base.txt, more.txt\n"
    assert asked({"setup.cfg": text, "base.txt": "flask\n-r x\n", "more.txt": "six\n"}).runtime == ("flask", "six")


def test_setup_py_says_it_where_its_values_are_plain() -> None:
    text = """\
        import setuptools
        setuptools.setup(name="shop", version=read(), install_requires=["flask"], python_requires=">=3.8",
            extras_require={"test": ["hypothesis"], ":python_version < '3.12'": ["tomli"]}, entry_points='''
                [console_scripts]
                shop=shop.cli:main
            ''')
    """
    found = asked({"setup.py": text})
    assert (found.name, found.runtime, found.python) == (
        "shop",
        ("flask", "tomli ; python_version < '3.12'"),
        ">=3.8",
    )
    assert (found.test, found.scripts) == (("hypothesis", "pytest"), {"shop": "shop.cli:main"})
    assert found.where["runtime"] == "setup.py install_requires"


def test_a_list_that_setup_py_puts_together_is_that_of_requirements_txt() -> None:
    text = 'from setuptools import setup\nsetup(name="a", install_requires=open("requirements.txt").readlines())\n'
    found = asked({"setup.py": text, "requirements.txt": "flask==3.1.0\n"})
    assert (found.runtime, found.where["runtime"]) == (("flask==3.1.0",), "requirements.txt, for install_requires")
    with pytest.raises(UsageError, match=r"there is no pyproject\.toml") as raised:
        asked({"setup.py": text})
    assert "setup.py puts install_requires together" in raised.value.why[0]
    assert "[project] with name, version and dependencies" in raised.value.remedy


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": "raise SystemExit\n"},
        {"setup.py": "def ("},
        {"setup.cfg": "no section\n"},
        {"setup.cfg": "[options]\ninstall_requires = flask\n"},
    ],
)
def test_what_says_no_name_is_told_what_to_write(files: Mapping[str, str]) -> None:
    with pytest.raises(UsageError, match=r"there is no pyproject\.toml") as raised:
        asked(files)
    assert "[build-system]" in raised.value.remedy


def test_pyproject_toml_counts_before_both_and_names_what_they_say_in_its_place() -> None:
    beside = {"setup.cfg": SETUP_CFG}
    whole = '[project]\nname = "own"\ndependencies = ["falcon"]\n'
    assert asked({**beside, "pyproject.toml": whole}).runtime == ("falcon",)
    dynamic = '[project]\nname = "own"\ndynamic = ["dependencies"]\n'
    found = asked({**beside, "pyproject.toml": dynamic})
    assert (found.name, found.runtime[0], found.scripts) == ("own", "flask>=2", {})
    assert asked({**beside, "pyproject.toml": "[tool.ruff]\n"}).name == "my-shop"


def test_a_project_without_pyproject_toml_gets_one_that_names_its_backend() -> None:
    made = planned({"setup.cfg": SETUP_CFG}, {"shop.wsgi": FLASK})
    assert 'requires = ["setuptools>=40.8.0", "setuptools-scm"]' in made.more["pyproject.toml"]
    assert "pyproject.toml" not in planned({"pyproject.toml": '[project]\nname = "a"\n'}, {"a.wsgi": FLASK}).more


def test_what_hatchlings_hooks_need_is_locked_with_it() -> None:
    text = """\
        [build-system]
        requires = ["hatchling"]
        [project]
        name = "a"
        [tool.hatch.build.hooks.custom]
        dependencies = ["Babel"]
        [tool.hatch.build.targets.wheel.hooks.vcs]
        dependencies = ["hatch-vcs"]
    """
    assert asked({"pyproject.toml": text}).build == ("hatchling", "Babel", "hatch-vcs")


@pytest.mark.parametrize("named", ['files = ["requirements/base.in"]', 'filename = "requirements/base.in"'])
def test_what_hatchs_plugin_reads_from_files_is_read_there(named: str) -> None:
    text = f"""\
        [project]
        name = "a"
        dynamic = ["dependencies", "optional-dependencies"]
        [tool.hatch.metadata.hooks.requirements_txt]
        {named}
        [tool.hatch.metadata.hooks.requirements_txt.optional-dependencies]
        test = ["requirements/test.in"]
    """
    beside = {"requirements/base.in": "flask # web\n", "requirements/test.in": "responses\npytest\n"}
    found = asked({"pyproject.toml": text, **beside})
    assert (found.runtime, found.where["runtime"]) == (("flask",), "requirements/base.in")
    assert found.test == ("responses", "pytest")


def test_a_project_without_tests_needs_no_more_for_them_than_the_one_that_is_made() -> None:
    text = '[project]\nname = "a"\n[dependency-groups]\ntest = ["reuse", "pytest"]\n'
    made = plan({"pyproject.toml": text}, {"a.wsgi": FLASK}, (), "")
    assert (made.wanted["test"], made.where["test"]) == (("pytest",), "what tests/test_starts.py needs")


def test_an_extra_that_the_service_is_made_with_is_taken() -> None:
    project = """\
[project]
name = "tell"
dependencies = ["cliff"]
[project.optional-dependencies]
docs = ["sphinx"]
server = ["django>=5", "tell[more]", "tell[server]"]
more = ["whitenoise"]
"""
    made = planned({"pyproject.toml": project}, {"tell.cli": "import cliff\n", "tell.server.wsgi": DJANGO})
    assert made.wanted["runtime"] == ("cliff", "django>=5", "whitenoise", "waitress")
    assert made.where["runtime"] == "[project] dependencies, and its extra server"
    has = project.replace('"cliff"', '"django"')
    assert planned({"pyproject.toml": has}, {"tell.wsgi": DJANGO}).wanted["runtime"] == ("django", "waitress")


@pytest.mark.parametrize(
    ("python", "base"), [("", ""), (">=3.8", ""), (">=3.12", "debian-13"), (">=3.9,<3.12", ""), (">=2.7,!=3.0.*", "")]
)
def test_the_first_runtime_whose_python_a_project_is_for_is_taken(python: str, base: str) -> None:
    made = planned(
        {"pyproject.toml": f'[project]\nname = "a"\nrequires-python = "{python}"\n'}, {"a.wsgi": FLASK}, offered=TWO
    )
    assert (made.base, made.python) == (base, TWO[base or "debian-12"])
    assert ('base = "debian-13"' in configuration(made, Learned())) == bool(base)


@pytest.mark.parametrize("python", ["<3", ">=3.14", "==2.7.*"])
def test_a_python_that_no_image_has_is_told_before_anything_is_locked(python: str) -> None:
    project = f'[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = "{python}"\n'
    with pytest.raises(UsageError, match="which no image has") as raised:
        planned({"pyproject.toml": project}, {"a.wsgi": FLASK}, offered=TWO)
    assert raised.value.why == ("debian-12 has 3.11", "debian-13 has 3.13")
    assert 'requires-python = ">=3.11"' in raised.value.remedy


def test_a_python_that_is_no_version_is_the_users_to_put_right() -> None:
    with pytest.raises(UsageError, match="cannot be understood: 'three'"):
        planned({"pyproject.toml": '[project]\nname = "a"\nrequires-python = "three"\n'}, {"a.wsgi": FLASK})


@pytest.mark.parametrize("named", ["shop", "shop:", "shop:app()", "shop web:app", '"]\n[deploy]'])
def test_a_callable_that_is_none_is_refused_before_anything_is_written(named: str) -> None:
    with pytest.raises(UsageError, match="is not a callable") as raised:
        planned({"pyproject.toml": '[project]\nname = "a"\n'}, {"a.wsgi": FLASK}, named=named)
    assert "MODULE:NAME" in raised.value.remedy


def test_a_name_is_one_as_the_index_and_a_label_of_dns_have_it() -> None:
    def name(text: str) -> str:
        return planned({"pyproject.toml": f'[project]\nname = "{text}"\n'}, {"a.wsgi": FLASK}).name

    assert name("My.Shop__and-more") == "my-shop-and-more"
    assert name("a" * 62 + ".b" + "c" * 30) == "a" * 62
    requirements = '[project]\nname = "a"\ndependencies = ["Flask_SQLAlchemy==3.1", "UVICORN"]\n'
    made = planned({"pyproject.toml": requirements}, {"a.main": "app = FastAPI()\n"})
    assert made.wanted["runtime"] == ("Flask_SQLAlchemy==3.1", "UVICORN")


@pytest.mark.parametrize("name", ["tests/requirements.txt", "requirements_dev.txt", "dev.requirements.txt"])
def test_what_tests_need_is_looked_for_wherever_people_write_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\n')
    (tmp_path / "tests").mkdir()
    (tmp_path / name).write_text("-r other.txt\nhttpx>=0.28\n")
    made = planned(look(tmp_path).files, {"a.wsgi": FLASK})
    assert (made.wanted["test"], made.where["test"]) == (("httpx>=0.28", "pytest"), name)


def test_what_the_first_image_has_shown_is_written_down() -> None:
    made = planned({"pyproject.toml": '[project]\nname = "a"\n'}, {"a.wsgi": FLASK})
    text = configuration(made, Learned({}, ("/var/lib/a",), "/.web/"))
    assert 'writable = ["/var/lib/a"]' in text
    assert 'health = "/.web/"' in text
    assert "/ redirects to it" in text
    assert "/ answers with an error" in configuration(made, Learned(health="/about", refused=True))
