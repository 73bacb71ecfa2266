from hello import app


def test_what_the_caller_sends_is_escaped_by_the_compiled_module():
    environ = {"QUERY_STRING": "%3Cb%3E"}
    assert app(environ, lambda status, headers: None) == [b"hello &lt;b&gt; from markupsafe._speedups\n"]
