#!/usr/bin/env python3
"""Every request and the configuration of tools/modemsim/README.md, run as written."""
import json
import os
import re
import subprocess

import peer

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools/modemsim/README.md")


def test(folder):
    with open(README, encoding="utf-8") as file:
        page = file.read()
    config = os.path.join(folder, "config.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(re.search(r"```toml\n(.*?)```", page, re.S).group(1))
    with peer.Sim(folder, "--config", config) as sim:
        state = sim.ask("state")["modems"]
        assert [m["profile"] for m in state] == ["generic", "huawei"] and state[1]["sim"] == "SIM PIN", state
        assert state[0]["latency"] == "100-900ms", state
        requests = re.findall(r"^\| `(\{\"do\".*?\})` \|", page, re.M)
        assert len(requests) >= 32, len(requests)
        port = os.open(sim.links[0], os.O_RDWR | os.O_NOCTTY)
        os.write(port, b"AT+CMGS=19\r0031000B915155100021F30000A705E8329BFD06\x1a")
        peer.wait_for("a submission", lambda: sim.ask("submissions")["submissions"], 10)
        os.close(port)
        for line in sorted(requests, key=lambda r: '"quit"' in r):
            sim.lines.write(line + "\n")
            sim.lines.flush()
            answer = json.loads(sim.lines.readline())
            assert answer["ok"], (line, answer)
        assert sim.process.wait(10) == 0
        assert not os.path.exists(sim.links[0])
    with peer.Sim(os.path.join(folder, "."), "--modems", "2") as sim:
        asked = re.search(r"--ask '(\{.*\})'\n    (\{.*\})", page)
        got = subprocess.run([peer.modemsim_path(), "--control", sim.ready["control"], "--ask", asked.group(1)], stdout=subprocess.PIPE, check=True)
        assert json.loads(got.stdout) == json.loads(asked.group(2)), got.stdout


peer.run(test)
