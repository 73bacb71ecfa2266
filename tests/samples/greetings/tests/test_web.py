import pytest
from greetings.web import application


def ask(path, language=""):
    answers = []
    body = application({"PATH_INFO": path, "HTTP_ACCEPT_LANGUAGE": language}, lambda status, headers: answers.append(status))
    return answers[0], b"".join(body).decode()


@pytest.mark.parametrize(("language", "word"), [("fr-CH, fr;q=0.9", "Bonjour"), ("xx, nl", "Goedendag"), ("", "Good day")])
def test_the_first_known_language_is_answered(language, word):
    assert ask("/", language) == ("200 OK", f"{word}\n")


def test_another_path_is_not_found():
    assert ask("/elsewhere")[0] == "404 Not Found"
