"""A modemsim of one's own for a test of another gateway: starts it, asks its control socket, reads its log, ends it."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77


def modemsim_path():
    """Argument 1, $MODEMSIM, or the release build beside this file."""
    here = os.path.dirname(os.path.abspath(__file__))
    fallback = os.path.join(here, "../../../build/release/bin/modemsim")
    return sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MODEMSIM", fallback)


class Sim:
    def __init__(self, folder, *flags):
        self.log = os.path.join(folder, "log.jsonl")
        self.process = subprocess.Popen(
            [modemsim_path(), "--dir", os.path.join(folder, "ports"), "--log", self.log, *flags], stdout=subprocess.PIPE)
        self.ready = json.loads(self.process.stdout.readline())
        self.links = [m["link"] for m in self.ready["modems"]]
        self.numbers = [m["number"] for m in self.ready["modems"]]
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.ready["control"])
        self.lines = self.socket.makefile("rw")

    def ask(self, do, **fields):
        self.lines.write(json.dumps({"do": do, **fields}) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        assert answer["ok"], answer
        return answer

    def submissions(self):
        """What the log holds, as a client killed at any moment would leave it."""
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as log:
            return [json.loads(line) for line in log]

    def texts(self):
        """(destination, whole text) of every message with all its parts, in order of the first part; a double shows twice."""
        sets, out = {}, []
        for s in self.submissions():
            c = s["concat"]
            if not c:
                out.append((s["to"], s["text"]))
                continue
            parts = sets.setdefault((s["to"], c["ref"]), {})
            assert c["seq"] not in parts, "part sent twice: %s" % s
            parts[c["seq"]] = s["text"]
            if len(parts) == c["total"]:
                out.append((s["to"], "".join(parts[i] for i in sorted(parts))))
        return out

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        code = self.process.wait(10)
        assert kind or code == 0, "modemsim ended with %d" % code


def wait_for(what, condition, seconds):
    """The condition's first true value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("not within %d s: %s" % (seconds, what))


def need(program):
    for folder in ("/usr/bin", "/usr/sbin"):
        if os.access(os.path.join(folder, program), os.X_OK):
            return os.path.join(folder, program)
    print("skipped: no " + program)
    sys.exit(SKIPPED)


# What every gateway is asked to send: destination, text.
LONG = "This message has more than one hundred and sixty characters, so that it goes out in parts that the far end puts together again. " * 2
OUTBOUND = [
    ("+15550100101", "Plain text, nothing special"),
    ("+15550100102", "Price {10} [euro] ~ 5 | \\ ^"),
    ("+15550100103", LONG.strip()),
    ("+15550100104", "Привет, 你好 😀"),
    ("+15550100105", "The last one"),
]
# What it receives: sender, text.
INBOUND = [
    ("+15550100121", "A reply, with @ and £ and é"),
    ("+15550100122", "Две части: " + "очень длинный текст " * 6 + "конец 😀"),
]


def check_sent(sim, count):
    got = sim.texts()
    assert sorted(got) == sorted(OUTBOUND), "sent:\n%s\nwanted:\n%s" % (got, OUTBOUND)
    assert len(sim.submissions()) >= count
    assert all(s["answered"] for s in sim.submissions())


def run(test):
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        test(folder)
    print("passed")
