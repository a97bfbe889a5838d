#!/usr/bin/env python3
"""Debian's smstools (smsd) sends five messages and receives two through modemsim, unchanged."""
import glob
import os
import subprocess

import peer

SMSD = peer.need("smsd")


def write_config(folder, link):
    for name in ("outgoing", "checked", "incoming", "sent", "failed", "report", "stats"):
        os.mkdir(os.path.join(folder, name))
    path = os.path.join(folder, "smsd.conf")
    with open(path, "w") as config:
        config.write(f"""devices = GSM1
outgoing = {folder}/outgoing
checked = {folder}/checked
incoming = {folder}/incoming
sent = {folder}/sent
failed = {folder}/failed
report = {folder}/report
logfile = {folder}/smsd.log
infofile = {folder}/smsd.working
pidfile = {folder}/smsd.pid
loglevel = 7
delaytime = 1
receive_before_send = no
incoming_utf8 = yes
[GSM1]
device = {link}
incoming = yes
report = yes
baudrate = 115200
rtscts = no
init = AT+CNMI=2,1,0,2,0
primary_memory = SM
secondary_memory = SR
""")
    return path


def spool(folder, number, to, text):
    """smstools takes UCS-2 as it goes out, and everything else as ISO 8859-1."""
    if text.isascii():
        head, body = f"To: {to[1:]}\nReport: yes\n\n", text.encode()
    else:
        head, body = f"To: {to[1:]}\nReport: yes\nAlphabet: UCS\n\n", text.encode("utf-16-be")
    path = f"{folder}/outgoing/m{number}"
    with open(path + ".LOCK", "wb"), open(path + ".tmp", "wb") as file:
        file.write(head.encode() + body)
    os.rename(path + ".tmp", path)
    os.unlink(path + ".LOCK")


def received(folder):
    out = {}
    for name in sorted(glob.glob(folder + "/incoming/*")):
        with open(name, "rb") as file:
            head, _, body = file.read().partition(b"\n\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        if "From" not in fields:  # parts that wait for the rest
            continue
        ucs = fields.get("Alphabet", "").upper().startswith("UCS")
        out["+" + fields["From"]] = body.decode("utf-16-be") if ucs else body.decode("utf-8", "replace").rstrip("\n")
    return out


def reports(folder):
    return len(glob.glob(folder + "/report/*"))


def test(folder):
    with peer.Sim(folder, "--latency", "200ms", "--report-delay", "300ms") as sim:
        exchange(folder, sim)


def exchange(folder, sim):
    config = write_config(folder, sim.links[0])
    for number, (to, text) in enumerate(peer.OUTBOUND):
        spool(folder, number, to, text)
    daemon = subprocess.Popen([SMSD, "-t", "-c" + config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        peer.wait_for("five messages out", lambda: len(sim.texts()) >= 5, 180)
        peer.check_sent(sim, 6)
        for sender, text in peer.INBOUND:
            sim.ask("inject", modem=0, **{"from": sender}, text=text)
        peer.wait_for("two messages in", lambda: received(folder) == dict(peer.INBOUND), 120)
        used = lambda: sum(m["used"] for m in sim.ask("state", modem=0)["modems"][0]["memories"].values())
        peer.wait_for("memories emptied", lambda: used() == 0, 60)
        peer.wait_for("a report for each message", lambda: reports(folder) >= 5, 60)
        assert daemon.poll() is None, "smsd ended by itself"
    except AssertionError:
        with open(folder + "/smsd.log", errors="replace") as log:
            print(log.read()[-3000:], "\nreceived:", received(folder))
        raise
    finally:
        daemon.terminate()
        daemon.wait(60)


peer.run(test)
