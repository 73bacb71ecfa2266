"""What `init` finds in projects that nobody here wrote: what they ask for, how they start, what they have locked."""

import tomllib
from collections.abc import Mapping
from textwrap import dedent

import pytest

from shipseal.errors import UsageError
from shipseal.scaffold.callables import callables, health, others
from shipseal.scaffold.config_writer import Learned, configuration, policy, preferences
from shipseal.scaffold.plan import ScaffoldPlan, plan
from shipseal.scaffold.poetry import requirement
from shipseal.scaffold.project_metadata import ProjectMetadata
from shipseal.scaffold.versions import chosen

FLASK = "from flask import Flask\napp = Flask(__name__)\n"


def asked(text: str, **files: str) -> ProjectMetadata:
    return ProjectMetadata.read(
        dedent(text), {name.replace("_", "-") + ".txt": content for name, content in files.items()}
    )


@pytest.mark.parametrize(
    ("text", "runtime", "where"),
    [
        ('[project]\nname = "a"\ndependencies = ["flask>=3"]', ("flask>=3",), "[project] dependencies"),
        ('[project]\nname = "a"', (), "it asks for nothing"),
        ('[project]\nname = "a"\ndynamic = ["dependencies"]', ("flask", "six==1.17.0"), "requirements.txt"),
        (
            '[project]\nname = "a"\ndynamic = ["dependencies"]\n'
            '[tool.setuptools.dynamic]\ndependencies = { file = ["base.txt"] }',
            ("starlette",),
            "base.txt",
        ),
        (
            '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = "^3.11"\nflask = "^3.0"',
            ("flask>=3.0,<4",),
            "[tool.poetry.dependencies]",
        ),
        (
            '[tool.flit.metadata]\nmodule = "a"\nrequires = ["falcon"]',
            ("falcon",),
            "[tool.flit.metadata] requires",
        ),
    ],
)
def test_what_a_project_needs_is_found_wherever_its_backend_has_it(
    text: str, runtime: tuple[str, ...], where: str
) -> None:
    listed = "--index-url https://elsewhere.invalid\nflask # web\n\nsix==1.17.0 \\\n    --hash=sha256:00\n"
    found = asked(text, requirements=listed, base="starlette")
    assert (found.runtime, found.where["runtime"]) == (runtime, where)


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ('[project]\nname = "a"', ("pytest",)),
        (
            '[project]\nname = "a"\n[project.optional-dependencies]\ntest = ["pytest-cov", "pytest"]',
            ("pytest-cov", "pytest"),
        ),
        (
            '[project]\nname = "a"\n[dependency-groups]\nlint = ["ruff"]\ndev = ["httpx", { include-group = "lint" }]',
            ("httpx", "ruff", "pytest"),
        ),
        (
            '[tool.poetry]\nname = "a"\n[tool.poetry.group.test.dependencies]\npytest = "~8.3"',
            ("pytest>=8.3,<8.4",),
        ),
    ],
)
def test_so_is_what_its_tests_need_and_that_is_pytest_at_least(text: str, test: tuple[str, ...]) -> None:
    assert asked(text).test == test


def test_without_a_build_system_setuptools_builds_it() -> None:
    found = asked('[project]\nname = "My.App"')
    assert (found.name, found.build, found.backend) == ("my-app", ("setuptools>=40.8.0",), "setuptools.build_meta")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "project = 3",
        '[build-system]\nrequires = ["setuptools"]',
        '[project]\nname = "a"\n[dependency-groups]\ntest = [{ include-group = "test" }]',
        '[tool.poetry]\nname = "a"\ndependencies = { own = { path = "../own" } }',
    ],
)
def test_what_cannot_be_understood_is_the_users_to_put_right(text: str) -> None:
    with pytest.raises(UsageError, match=r"pyproject\.toml cannot be understood"):
        asked(text)


@pytest.mark.parametrize(
    ("constraint", "said"),
    [
        ("*", "a"),
        ("1.2.3", "a==1.2.3"),
        ("^1.2.3", "a>=1.2.3,<2"),
        ("^0.2.3", "a>=0.2.3,<0.3"),
        ("^0.0.3", "a>=0.0.3,<0.0.4"),
        ("^0", "a>=0,<1"),
        ("~1.2.3", "a>=1.2.3,<1.3"),
        ("~1", "a>=1,<2"),
        ("1.*", "a==1.*"),
        (">=1,<2", "a>=1,<2"),
        ({"version": "^2", "extras": ["s"], "markers": "python_version < '4'"}, "a[s]>=2,<3 ; python_version < '4'"),
    ],
)
def test_poetrys_constraints_are_written_as_everybody_reads_them(constraint: object, said: str) -> None:
    """Its documentation, "Dependency specification", has these examples."""
    assert requirement("a", constraint) == said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", '[[package]]\nname = "Flask"\nversion = "3.1.0"\nsource = { registry = "x" }\n'
         '[[package]]\nname = "own"\nversion = "1"\nsource = { editable = "." }\n'),
        ("pylock.toml", '[[packages]]\nname = "flask"\nversion = "3.1.0"\n'),
        ("poetry.lock", '[[package]]\nname = "flask"\nversion = "3.1.0"\n'),
        ("requirements.txt", "flask[async]==3.1.0 ; python_version > '3' \\\n  --hash=sha256:00\n"),
    ],
)  # fmt: skip
def test_versions_that_were_chosen_before_are_read_from_whatever_lock_there_is(name: str, text: str) -> None:
    assert chosen({name: text, "pyproject.toml": ""}) == ({"flask": "3.1.0"}, name)


def test_so_are_those_that_pip_tools_has_written_beside_what_they_were_made_from() -> None:
    pinned = {"requirements/base.txt": "flask==3.1.0\n    # via a\n"}
    assert chosen({**pinned, "requirements/base.in": "flask\n"}) == ({"flask": "3.1.0"}, "requirements/base.txt")
    assert chosen(pinned) == ({}, ""), "it may be anything"


def test_a_lock_that_is_none_has_chosen_nothing() -> None:
    assert chosen({"uv.lock": "<<<<<<< HEAD", "poetry.lock": "[" * 9999, "requirements.txt": "flask>=3\n"}) == ({}, "")


@pytest.mark.parametrize(
    ("source", "name", "asgi"),
    [
        (FLASK, "app", False),
        ("import fastapi\napi: object = fastapi.FastAPI()\n", "api", True),
        ("def create_app():\n    from flask import Flask\n    return Flask('x')\n\napp = create_app()\n", "app", False),
        ("def create_app():\n    return Starlette()\n\nserved = create_app()\n", "served", True),
        (
            "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n",
            "application",
            True,
        ),
        ("def application(environ, start_response):\n    return []\n", "application", False),
        ("async def app(scope, receive, send):\n    pass\n", "app", True),
    ],
)
def test_an_application_is_known_by_its_syntax(source: str, name: str, asgi: bool) -> None:
    [found] = callables({"shop.web": source})
    assert (found.name, found.asgi) == (f"shop.web:{name}", asgi)


def test_the_likeliest_application_of_a_package_comes_first() -> None:
    modules = {"shop.old": FLASK, "shop.wsgi": FLASK, "shop.broken": "def (", "shop.none": "x = 1\n"}
    assert [each.name for each in callables(modules)] == ["shop.wsgi:app", "shop.old:app"]


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("@app.route('/api/healthz')\ndef h(): ...\n@app.get('/status')\ndef s(): ...\n", "/api/healthz"),
        ("urlpatterns = [path('ping/', ping)]\n", "/ping/"),
        ("urlpatterns = [path('health/', include('health_check.urls'))]\n", "/health/"),
        ("@app.get('/users/{id}/health')\ndef u(): ...\n", "/"),
        ("x = 1\n", "/"),
    ],
)
def test_a_health_path_is_a_route_that_is_called_so(source: str, path: str) -> None:
    assert health({"shop.web": source})[0] == path


URLS = """\
urlpatterns = [
    path("", include("shop.ui")), path("api/", index), path("api/v1/", include("shop.api")), path("u/<int:n>", user),
    path("admin/", site.urls), path("api/", index), path("a b", spaced), re_path("^old$", old),
]
VIEW = os.environ.get("SHOP") or client.get("/elsewhere")

@app.route("/d")
def d(): ...
@app.get("/icon.png")
def icon(): ...
"""


def test_the_plain_routes_may_answer_where_a_health_path_does_not() -> None:
    assert others({"shop.urls": URLS}) == ("/", "/d", "/api/", "/admin/")
    assert others({"shop": "def ("}) == ("/",)
    assert planned({"shop.wsgi": FLASK, "shop.urls": URLS}).instead == ("/", "/d", "/api/", "/admin/")


def planned(modules: Mapping[str, str], project: str = '[project]\nname = "shop"\n', **more: object) -> ScaffoldPlan:
    values = {"tests": ("tests",), "origin": "https://github.com/Acme/shop", **more}
    return plan({"pyproject.toml": project}, modules, **values)  # type: ignore[arg-type] # of a test


def test_a_wsgi_application_is_served_by_waitress_and_one_of_asgi_by_uvicorn() -> None:
    assert planned({"shop.wsgi": FLASK}).wanted["runtime"] == ("waitress",)
    made = planned({"shop.main": "app = FastAPI()\n"})
    assert made.wanted["runtime"] == ("uvicorn",)
    assert [text for text, _ in made.start] == ['callable = "shop.main:app"', 'server = "uvicorn"']


@pytest.mark.parametrize(("source", "server"), [(FLASK, "gunicorn"), ("app = FastAPI()\n", "granian")])
def test_the_server_that_a_project_asks_for_is_taken(source: str, server: str) -> None:
    project = f'[project]\nname = "shop"\ndependencies = ["{server}>=1"]\n'
    made = planned({"shop.main": source}, project)
    assert made.wanted["runtime"] == (f"{server}>=1",)
    assert f'server = "{server}"' in dict(made.start)


def test_what_has_no_application_starts_by_its_script() -> None:
    project = '[project]\nname = "shop"\n[project.scripts]\nshop = "shop.cli:main"\n'
    made = planned({"shop.cli": "def main(): ...\n", "shop.__main__": "main()\n"}, project)
    assert made.start == (('command = ["-m", "shop"]', "[project.scripts] shop = shop.cli:main"),)


def test_several_applications_are_the_users_to_choose_from() -> None:
    with pytest.raises(UsageError, match="several applications") as raised:
        planned({"shop.web": FLASK, "admin.web": FLASK})
    assert "--callable MODULE:NAME" in raised.value.remedy
    assert 'callable = "admin.web:app"' in dict(
        planned({"shop.web": FLASK, "admin.web": FLASK}, named="admin.web:app").start
    )


def test_what_is_no_service_is_told_what_to_write() -> None:
    with pytest.raises(UsageError, match="nothing in this project looks like a service") as raised:
        planned({"shop": "x = 1\n"})
    assert "app = create_app()" in raised.value.remedy


def test_a_project_without_tests_gets_one_that_holds() -> None:
    (path, text), *others = planned({"shop.web": FLASK}, tests=()).more.items()
    assert (path, others) == ("tests/test_starts.py", [])
    assert "assert callable(import_module('shop.web').app)" in text


def test_the_configuration_is_one_and_every_line_of_it_has_a_reason() -> None:
    text = configuration(planned({"shop.web": FLASK}), Learned({"libssl3": "_ssl needs libssl.so.3"}))
    document = tomllib.loads(text)
    assert document["service"]["callable"] == "shop.web:app"
    assert document["image"] == {"repository": "docker.io/acme/shop", "extra-packages": ["libssl3"]}
    assert [line for line in text.splitlines() if " = " in line and "  # " not in line] == []


@pytest.mark.parametrize("origin", ["", "/srv/git/shop", "https://h.invalid/", "https://h.invalid/UP--/x"])
def test_without_a_remote_that_is_one_the_image_is_a_place_holders(origin: str) -> None:
    assert planned({"shop.web": FLASK}, origin=origin).image[0] == "docker.io/example/shop"


def test_the_policy_names_the_projects_own_repository() -> None:
    texts = {"verification.toml": 'source = "https://github.example/example/simpletimeservice"\n'}
    made = policy(texts, planned({"shop.web": FLASK}))
    assert made == {"verification.toml": 'source = "https://github.com/Acme/shop"\n'}
    assert policy(texts, planned({"shop.web": FLASK}, origin="")) == texts


def test_versions_are_preferred_as_they_were() -> None:
    made = plan(
        {"pyproject.toml": '[project]\nname = "shop"\n', "uv.lock": '[[package]]\nname = "b"\nversion = "2"\n'},
        {"shop.web": FLASK}, (), "",
    )  # fmt: skip
    assert preferences(made) == "b==2\n"
    assert "versions of uv.lock" in configuration(made, Learned())
