from hello import app


def test_the_service_says_hello():
    assert app({}, lambda status, headers: None) == [b"hello\n"]
