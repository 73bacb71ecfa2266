from hello import app


def test_the_service_says_goodbye():
    assert app({}, lambda status, headers: None) == [b"goodbye\n"]
