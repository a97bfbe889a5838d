#!/usr/bin/env python3
"""Debian's gammu-smsd sends five messages and receives two through modemsim, unchanged."""
import glob
import os
import subprocess

import peer

SMSD = peer.need("gammu-smsd")
INJECT = peer.need("gammu-smsd-inject")


def write_config(folder, link):
    for name in ("inbox", "outbox", "sent", "error"):
        os.mkdir(os.path.join(folder, name))
    path = os.path.join(folder, "smsdrc")
    with open(path, "w") as config:
        config.write(f"""[gammu]
device = {link}
connection = at
[smsd]
service = files
logfile = {folder}/smsd.log
debuglevel = 255
inboxpath = {folder}/inbox/
outboxpath = {folder}/outbox/
sentsmspath = {folder}/sent/
errorsmspath = {folder}/error/
inboxformat = unicode
loopsleep = 1
receivefrequency = 1
deliveryreport = log
checksecurity = 1
""")
    return path


def received(folder):
    """Texts of the inbox; a message of several parts is one file a part: IN<date>_<time>_<serial>_<sender>_<part>.txt.
    gammu 1.42 counts units as octets when it writes the file, and fills what is left with NUL and rubbish: cut there."""
    sets = {}
    for name in sorted(glob.glob(folder + "/inbox/IN*")):
        stem = os.path.basename(name).rsplit(".", 1)[0].split("_")
        with open(name, "rb") as file:
            raw = file.read()
        text = raw.decode("utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else raw.decode("utf-8")
        sets.setdefault(stem[3], []).append(text.split("\0")[0])
    return {sender: "".join(parts) for sender, parts in sets.items()}


def test(folder):
    with peer.Sim(folder, "--latency", "200ms", "--report-delay", "300ms") as sim:
        exchange(folder, sim)


def exchange(folder, sim):
    config = write_config(folder, sim.links[0])
    for to, text in peer.OUTBOUND:
        unicode = [] if text.isascii() else ["-unicode"]
        subprocess.run([INJECT, "-c", config, "TEXT", to, "-report", "-autolen", "400", *unicode, "-text", text], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"})
    daemon = subprocess.Popen([SMSD, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        peer.wait_for("five messages out", lambda: len(sim.texts()) >= 5, 120)
        peer.check_sent(sim, 6)
        for sender, text in peer.INBOUND:
            sim.ask("inject", modem=0, **{"from": sender}, text=text)
        peer.wait_for("two messages in", lambda: received(folder) == dict(peer.INBOUND), 60)
        used = lambda: sum(m["used"] for m in sim.ask("state", modem=0)["modems"][0]["memories"].values())
        peer.wait_for("memories emptied", lambda: used() == 0, 60)
        assert daemon.poll() is None, "gammu-smsd ended by itself"
    except AssertionError:
        with open(folder + "/smsd.log", errors="replace") as log:
            print(log.read()[-3000:], "\nreceived:", received(folder))
        raise
    finally:
        daemon.terminate()
        daemon.wait(20)


peer.run(test)
