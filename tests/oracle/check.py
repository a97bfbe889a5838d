#!/usr/bin/python3
"""Checks Conductor's PDU codec against tshark and python3-gammu.

    tests/oracle/check.py [--conductorctl build/release/bin/conductorctl]

Decoding: every PDU of corpus.ndjson (none made by our encoder) must decode to what its maker was given, and what tshark and Gammu read in
it must be what we read. Encoding: what `pdu encode` writes must be read back by both. A difference is a failure unless an excuse below
says which oracle is wrong and why. Needs tshark, wireshark-common (text2pcap) and python3-gammu. Exit 0: all agree. 1: not. 2: a tool is missing.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = ("type", "address", "mr", "pid", "dcs", "text", "data_hex", "timestamp", "discharge", "status", "concat", "report_requested", "validity")


# ---- ours ------------------------------------------------------------------------------------------------------------------------------

def decode_ours(ctl, rows):
    out = [None] * len(rows)
    for way in ("mo", "mt"):
        chosen = [i for i, row in enumerate(rows) if row["way"] == way]
        if not chosen:
            continue
        run = subprocess.run([ctl, "pdu", "decode", "-", "--direction", way], input="".join(rows[i]["hex"] + "\n" for i in chosen),
                             capture_output=True, text=True)
        lines = run.stdout.splitlines()
        assert len(lines) == len(chosen), "%d answers to %d PDUs: %s" % (len(lines), len(chosen), run.stderr)
        for i, line in zip(chosen, lines):
            out[i] = json.loads(line)
    return out


def wrong_fields(want, got, prefix=""):
    """What of `want` is not in `got`."""
    wrong = []
    for key, value in want.items():
        if isinstance(value, dict) and isinstance(got.get(key), dict):
            wrong += wrong_fields(value, got[key], prefix + key + ".")
        elif got.get(key, "absent") != value:
            wrong.append("%s%s: want %r, got %r" % (prefix, key, value, got.get(key, "absent")))
    return wrong


def comparable(got):
    seen = {key: got.get(key) for key in FIELDS if key in got}
    seen["concat"] = (got.get("udh") or {}).get("concat")
    return seen


# ---- tshark ----------------------------------------------------------------------------------------------------------------------------

TYPES = {"SMS-SUBMIT": "submit", "SMS-DELIVER": "deliver", "SMS-STATUS REPORT": "status-report", "SMS-DELIVER REPORT": "deliver-report"}


def tpdu_of(hexed):
    octets = bytes.fromhex(hexed)
    return octets[1 + octets[0]:]


def unescape(text):
    return re.sub(r"\\([nrtf\\\"])", lambda m: {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "\\": "\\", '"': '"'}[m.group(1)], text)


def stamp_of(fields, which):
    """The n-th time stamp. The sign of the zone is in the label alone."""
    def number(name):
        return int(fields["gsm_sms.scts." + name][which].get("show"))
    zone = re.search(r"GMT ([+-]) (\d+) hours (\d+) minutes", fields["gsm_sms.scts.timezone"][which].get("showname"))
    return "%04d-%02d-%02dT%02d:%02d:%02d%s%02d:%02d" % (2000 + number("year"), number("month"), number("day"), number("hour"), number("minutes"),
                                                       number("seconds"), zone.group(1), int(zone.group(2)), int(zone.group(3)))


def relative_text(octet):
    minutes = (octet + 1) * 5 if octet <= 143 else 720 + (octet - 143) * 30 if octet <= 167 else (octet - 166) * 1440 if octet <= 196 else (
        octet - 192) * 10080
    return "%dm" % minutes if minutes % 60 else "%dh" % (minutes // 60) if minutes % 1440 or minutes < 2880 else "%dd" % (minutes // 1440)


def read_tshark_packet(packet):
    proto = packet.find("proto[@name='gsm_sms']")
    fields = {}
    for field in proto.iter("field"):
        fields.setdefault(field.get("name"), []).append(field)

    def first(name, base=10):
        return int(fields[name][0].get("show"), 0 if base == 0 else base) if name in fields else None
    seen = {"type": TYPES.get(proto.get("showname").replace("GSM SMS TPDU (GSM 03.40) ", ""))}
    for name in ("gsm_sms.tp-da", "gsm_sms.tp-oa", "gsm_sms.tp-ra"):
        if name in fields:
            digits = fields[name][0].get("show")
            international = fields["gsm_sms.dis_field_addr.num_type"][0].get("value") == "1"
            seen["address"] = "+" + digits if international and digits else unescape(digits)
    if "gsm_sms.tp-mr" in fields:
        seen["mr"] = first("gsm_sms.tp-mr")
    if "gsm_sms.tp-pid" in fields:
        seen["pid"] = first("gsm_sms.tp-pid")
    if "gsm_sms.tp-dcs" in fields:
        seen["dcs"] = first("gsm_sms.tp-dcs")
    if "gsm_sms.sms_text" in fields:
        seen["text"] = unescape(fields["gsm_sms.sms_text"][0].get("show"))
    if "gsm_sms.scts.timezone" in fields and seen["type"] != "submit":
        seen["timestamp"] = stamp_of(fields, 0)
    if seen["type"] == "status-report":
        seen["discharge"] = stamp_of(fields, 1)
        seen["status"] = int(fields["gsm_sms.dis_field.definition"][0].get("unmaskedvalue"), 16)
    if seen["type"] == "submit":
        seen["report_requested"] = fields["gsm_sms.tp-srr"][0].get("value") == "1"
        if "gsm_sms.vp.validity_period" in fields:
            seen["validity"] = relative_text(first("gsm_sms.vp.validity_period"))
    if "gsm_sms.udh.mm.msg_id" in fields:
        seen["concat"] = {"ref": first("gsm_sms.udh.mm.msg_id"), "total": first("gsm_sms.udh.mm.msg_parts"), "seq": first("gsm_sms.udh.mm.msg_part"),
                          "bits": 4 * len(fields["gsm_sms.udh.mm.msg_id"][0].get("value"))}
    return seen


def read_tshark(rows):
    """Link type USER0 is told to be gsm_sms; packet direction tells MO from MT: inbound is from the phone."""
    with tempfile.TemporaryDirectory() as folder:
        text, capture = os.path.join(folder, "in.txt"), os.path.join(folder, "out.pcapng")
        with open(text, "w") as out:
            for row in rows:
                octets = tpdu_of(row["hex"])
                out.write("%s 0000 %s\n" % ("I" if row["way"] == "mo" else "O", " ".join("%02x" % b for b in octets)))
        subprocess.run(["text2pcap", "-q", "-D", "-l", "147", text, capture], check=True, capture_output=True)
        run = subprocess.run(["tshark", "-r", capture, "-o", 'uat:user_dlts:"User 0 (DLT=147)","gsm_sms","0","","0",""',
                              "-o", "gsm_sms.reassemble:FALSE", "-T", "pdml"], check=True, capture_output=True)
    clean = re.sub(rb"[\x00-\x08\x0b\x0e-\x1f]", b"?", run.stdout)
    clean = re.sub(rb'"[^"]*"', lambda value: value[0].replace(b"\n", b"&#10;"), clean)  # XML makes a bare line end in a value a space
    packets = ET.fromstring(clean).findall("packet")
    assert len(packets) == len(rows), "tshark read %d of %d" % (len(packets), len(rows))
    return [read_tshark_packet(packet) for packet in packets]


# ---- python3-gammu ---------------------------------------------------------------------------------------------------------------------

def read_gammu(rows):
    import gammu
    out = []
    for row in rows:
        try:
            sms = gammu.DecodePDU(bytes.fromhex(row["hex"]), True)
        except gammu.GSMError as error:
            out.append({"error": error.args[0]["Text"]})
            continue
        seen = {"type": {"Submit": "submit", "Deliver": "deliver", "Status_Report": "status-report"}.get(sms["Type"]), "address": sms["Number"]}
        if seen["type"] == "submit":
            seen["mr"] = sms["MessageReference"]
        if sms["Coding"] == "8bit":
            seen["data_hex"] = sms["Text"].hex().upper()
        elif seen["type"] != "status-report":
            seen["text"] = sms["Text"]
        if seen["type"] == "status-report":
            seen["mr"], seen["status"] = sms["MessageReference"], sms["DeliveryStatus"]
        udh = sms["UDH"]
        if udh["Type"].startswith("ConcatenatedMessages"):
            wide = udh["Type"].endswith("16bit")
            seen["concat"] = {"ref": udh["ID16bit" if wide else "ID8bit"], "total": udh["AllParts"], "seq": udh["PartNumber"], "bits": 16 if wide else 8}
        out.append(seen)
    return out


# ---- where an oracle is wrong ----------------------------------------------------------------------------------------------------------

def national(ours):
    return (ours["udh"] or {}).get("national") is not None


def alphanumeric(ours):
    return ours["address_type"] == "alphanumeric"


EXCUSES = []  # (oracle, field, condition on (ours, theirs, row), reason)


def excuse(oracle, field, reason):
    def register(condition):
        EXCUSES.append((oracle, field, condition, reason))
        return condition
    return register


def excused(oracle, field, ours, theirs, row):
    for its_oracle, its_field, condition, reason in EXCUSES:
        if its_oracle == oracle and its_field in (field, "*") and condition(ours, theirs, row):
            return reason
    return None


@excuse("tshark", "text", "tshark shows elements 24 and 25 but decodes with the default table")
def _(ours, theirs, row):
    return national(ours)


@excuse("gammu", "text", "Gammu ignores elements 24 and 25")
def _(ours, theirs, row):
    return national(ours)


@excuse("gammu", "text", "Gammu leaves rubbish behind a text with escape sequences; right up to its first NUL")
def _(ours, theirs, row):
    return any(c in ours["text"] for c in "^{}\\[~]|€") and theirs.split("\0")[0] == ours["text"]


@excuse("gammu", "text", "Gammu doubles ~ in UCS-2, and then loses as many characters at the end")
def _(ours, theirs, row):
    doubled = ours["text"].replace("~", "~~")
    return ours["encoding"] == "ucs2" and "~" in ours["text"] and doubled.startswith(theirs)


@excuse("gammu", "text", "Gammu shows an escape to an escape as two characters; TS 23.038 asks for a space")
def _(ours, theirs, row):
    return row["id"].startswith("by-hand") and ours["text"] == " A"


@excuse("gammu", "text", "Gammu passes a lone surrogate on; we show U+FFFD and keep the unit for the join")
def _(ours, theirs, row):
    return re.sub("[\ud800-\udfff]", "\ufffd", theirs) == ours["text"]


@excuse("gammu", "data_hex", "Gammu takes reserved codings for 8-bit data; TS 23.038 §4 makes them GSM-7")
def _(ours, theirs, row):
    return ours["dcs"] in (0x0C, 0x84)


@excuse("gammu", "address", "Gammu reads alphanumeric senders through ASCII")
def _(ours, theirs, row):
    return alphanumeric(ours)


@excuse("gammu", "address", "Gammu does not know the digits * # a b c")
def _(ours, theirs, row):
    return any(c in ours["address"] for c in "*#abc")


@excuse("tshark", "concat", "tshark shows part numbers of 0 and above the total; §9.2.3.24.1 has them ignored")
@excuse("gammu", "concat", "Gammu takes part numbers of 0 and above the total; §9.2.3.24.1 has them ignored")
def _(ours, theirs, row):
    return ours["udh"]["concat"] is None and not 1 <= theirs["seq"] <= theirs["total"]


@excuse("tshark", "text", "tshark shows an escape to an escape as U+FFFD; TS 23.038 asks for a space")
def _(ours, theirs, row):
    return row["id"].startswith("by-hand") and ours["text"] == " A"


@excuse("gammu", "error", "Gammu does not decode SMS-DELIVER-REPORT")
def _(ours, theirs, row):
    return ours["type"] == "deliver-report"


def differences(oracle, rows, ours, theirs, reasons):
    failures = []
    for row, our, their in zip(rows, ours, theirs):
        mine = comparable(our)
        for field, value in their.items():
            if mine.get(field) == value:
                continue
            reason = excused(oracle, field, our, value, row)
            if reason:
                reasons[oracle + ": " + reason] += 1
            else:
                failures.append("%s %s: %s says %s=%r, we say %r" % (row["id"], row["hex"][:60], oracle, field, value, mine.get(field)))
    return failures


# ---- our encoder, read by the others ---------------------------------------------------------------------------------------------------

ENCODE = [["--text", text] + options
          for text in ("Hello", "[€] {x} ~^|\\", "x" * 160, "x" * 161, "äöüÄÖÜ ñ ß", "Δ_ΦΓΛΩΠΨΣΘΞ", "Привет, мир", "😀" * 40, "日本語 " * 40, "long text, " * 60)
          for options in ([], ["--report", "--validity", "24h"], ["--flash"], ["--ref", "200"], ["--ref", "4660", "--validity", "3d"],
                          ["--smsc", "+15550100000"], ["--encoding", "ucs2"])]


def encode_ours(ctl):
    """Rows as those of the corpus, and what they must read."""
    rows = []
    for number, arguments in enumerate(ENCODE):
        to = "+15550100123" if number % 3 else "15555"
        run = subprocess.run([ctl, "--json", "pdu", "encode", "--to", to] + arguments, capture_output=True, text=True, check=True)
        answer = json.loads(run.stdout)
        for i, pdu in enumerate(answer["pdus"]):
            assert len(tpdu_of(pdu["hex"])) == pdu["length"]
            rows.append({"id": "encode-%d.%d" % (number, i + 1), "way": "mo", "hex": pdu["hex"], "to": to, "text": arguments[1], "message": number})
    return rows


def whole_texts(rows, reads):
    """The text of each message as an oracle reads its parts. Split surrogate pairs do not occur: we never split them."""
    texts = {}
    for row, read in zip(rows, reads):
        texts[row["message"]] = texts.get(row["message"], "") + read.get("text", "")
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conductorctl", default=os.path.join(HERE, "../../build/release/bin/conductorctl"))
    parser.add_argument("--corpus", default=os.path.join(HERE, "corpus.ndjson"))
    arguments = parser.parse_args()
    ctl = arguments.conductorctl
    for tool in (ctl, "tshark", "text2pcap"):
        if not shutil.which(tool):
            print("missing: " + tool, file=sys.stderr)
            return 2
    with open(arguments.corpus, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    failures, reasons = [], Counter()
    ours = decode_ours(ctl, rows)
    for row, our in zip(rows, ours):
        failures += ["%s %s: %s" % (row["id"], row["hex"][:60], wrong) for wrong in wrong_fields(row["want"], our)]
    failures += differences("tshark", rows, ours, read_tshark(rows), reasons)
    failures += differences("gammu", rows, ours, read_gammu(rows), reasons)

    made = encode_ours(ctl)
    read_back = decode_ours(ctl, made)
    for oracle, read in (("tshark", read_tshark), ("gammu", read_gammu)):
        reads = read(made)
        failures += differences(oracle, made, read_back, reads, reasons)
    for message, text in whole_texts(made, read_back).items():
        if text != ENCODE[message][1]:
            failures.append("encode-%d does not read back" % message)

    for failure in failures:
        print(failure)
    for reason, count in sorted(reasons.items()):
        print("excused %d times: %s" % (count, reason))
    print("%d PDUs decoded, %d encoded, %d differences" % (len(rows), len(made), len(failures)))
    return 1 if failures else 0


sys.exit(main())
