#!/usr/bin/python3
"""Writes tests/oracle/corpus.ndjson: PDUs that Conductor's encoder did not make, each with what it must decode to.

Makers: python3-gammu (SMS-SUBMIT and, with TP-MTI put right, SMS-DELIVER), gsmlib through gsmlib_encode (SMS-DELIVER,
SMS-STATUS-REPORT, SMS-DELIVER-REPORT), and examples of the standards written out by hand. What each must decode to comes from what the
maker was given, never from our decoder.

    g++ -std=c++14 -w gsmlib_encode.cpp -lgsmme -o /tmp/gsmlib_encode
    ./make_corpus.py /tmp/gsmlib_encode > corpus.ndjson
"""
import datetime
import json
import subprocess
import sys

import gammu

GSM7 = ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
        "¿abcdefghijklmnopqrstuvwxyzäöñüà")
EXTENSION = {"^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65}
ZONES = [0, 1, 4, 8, 21, 23, 32, 51, -1, -12, -14, -20, -32, -47]  # quarter hours
GSM_TEXTS = [
    "a", "Hello", "hellohello", "The quick brown fox jumps over the lazy dog 0123456789", "x" * 7, "x" * 8, "x" * 9, "x" * 15, "x" * 16,
    "x" * 159, "x" * 160, "£$¥èéùìòÇØøÅå", "ΔΦΓΛΩΠΨΣΘΞ", "ÆæßÉ¤¡ÄÖÑÜ§¿äöñüà", "!\"#%&'()*+,-./:;<=>?", "line one\nline two", "[€]", "{a|b}~^\\",
    "€" * 80, "abc€def€ghi", "@ at the start", "at the end @", "a@b", "_under_score_", "7 characters [7]", "1234567€"]
UCS2_TEXTS = [
    "ж", "Привет, мир!", "日本語のテキスト", "😀", "a😀b", "👩\u200d👩\u200d👧\u200d👦 family", "🇺🇸🇫🇷", "e\u0301", "“quotes” – and dashes…", "ж" * 70,
    "😀" * 35, "नमस्ते दुनिया", "مرحبا بالعالم", "שלום", "ç Ç ş Ş", "\u00a0 no-break", "100 € ✓", "한국어 문장", "ไทย", "Ünïcödé ž"]
NUMBERS = [("+15550100123", "international"), ("+4915550100", "international"), ("+15550100", "international"), ("15555", "unknown"),
           ("55501", "unknown"), ("5550100123", "unknown")]

corpus = []


def add(source, way, hexed, want):
    want.setdefault("smsc", None)
    corpus.append({"id": "%s-%03d" % (source.split()[0], len(corpus)), "source": source, "way": way, "hex": hexed.upper(), "want": want})


def encoding_want(coding, text):
    if coding == "8bit":
        return {"encoding": "data8", "text": None, "data_hex": text.hex().upper()}
    return {"encoding": "ucs2" if coding.startswith("Unicode") else "gsm7", "text": text, "data_hex": None}


# ---- python3-gammu ---------------------------------------------------------------------------------------------------------------------

NO_UDH = {"Type": "NoUDH", "Text": b"", "ID8bit": 0, "ID16bit": 0, "PartNumber": -1, "AllParts": 0}
NO_SMSC = {"Number": "", "Location": 0, "Name": "", "Format": "Text", "Validity": "NA", "DefaultNumber": ""}
GAMMU = {"Number": "+15550100123", "Text": "", "Coding": "Default_No_Compression", "SMSC": NO_SMSC, "Class": -1, "Folder": 0,
         "InboxFolder": 0, "Memory": "", "Location": 0, "Name": "", "Type": "Submit", "DeliveryStatus": 0, "ReplyViaSameSMSC": 0,
         "State": "UnSent", "MessageReference": 0, "ReplaceMessage": 0, "RejectDuplicates": 0, "UDH": NO_UDH,
         "DateTime": datetime.datetime(2026, 11, 21, 10, 0, 0), "SMSCDateTime": datetime.datetime(2026, 11, 21, 10, 0, 0)}


def without_empty_smsc(pdu):
    # Gammu writes "no service centre" as an address of a type octet alone.
    return b"\0" + pdu[2:] if pdu[:2] == b"\x01\x81" else pdu


def dcs_of(coding, message_class):
    alphabet = {"Default_No_Compression": 0x00, "8bit": 0x04, "Unicode_No_Compression": 0x08}[coding]
    return alphabet if message_class < 0 else alphabet | 0xF0


def gammu_submit(text, coding="Default_No_Compression", validity="5m", **options):
    """`validity` is what Gammu writes for the option given: TP-VP 0 where there is none."""
    sms = dict(GAMMU, Text=text, Coding=coding, **options)
    pdu = without_empty_smsc(gammu.EncodePDU(sms, "Submit"))
    number = sms["Number"]
    want = {"type": "submit", "address": number, "address_type": "international" if number.startswith("+") else "unknown",
            "mr": sms["MessageReference"], "pid": 0x40 | sms["ReplaceMessage"] if sms["ReplaceMessage"] else 0, "status": None,
            "report_requested": sms["Type"] == "Status_Report", "reject_duplicates": bool(sms["RejectDuplicates"]),
            "reply_path": bool(sms["ReplyViaSameSMSC"]), "validity": validity, "timestamp": None, "class": None}
    if sms["SMSC"]["Number"]:
        want["smsc"] = sms["SMSC"]["Number"]
    if sms["Class"] >= 0:
        want["class"] = sms["Class"]
    want.update(encoding_want(coding, text))
    add("gammu EncodePDU Submit", "mo", pdu.hex(), want)


def gammu_deliver(text, coding, sender, when):
    sms = dict(GAMMU, Text=text, Coding=coding, Number=sender, DateTime=when, SMSC=dict(NO_SMSC, Number="+15550100000"))
    pdu = bytearray(gammu.EncodePDU(sms, "Deliver"))
    first = 1 + pdu[0]
    assert pdu[first] & 0x03 == 0x01  # Gammu leaves the type of SMS-SUBMIT in an SMS-DELIVER
    pdu[first] = pdu[first] & 0xFC | 0x04
    kind = "international" if sender.startswith("+") else "unknown" if sender.isdigit() else "alphanumeric"
    want = {"type": "deliver", "smsc": "+15550100000", "address": sender, "address_type": kind, "pid": 0, "class": None, "mr": None,
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%S+00:00"), "report_requested": False, "validity": None, "more_to_send": False}
    want.update(encoding_want(coding, text))
    add("gammu EncodePDU Deliver, TP-MTI put right", "mt", pdu.hex(), want)


def gammu_parts(entry, text, bits):
    coding = {"Class": -1, "Unicode": any(c not in GSM7 and c not in EXTENSION for c in text),
              "Entries": [{"ID": entry, "Buffer": text}]}
    parts = gammu.EncodeSMS(coding)
    for sms in parts:
        sms.update(Number="+15550100123", SMSC=dict(NO_SMSC))
        pdu = without_empty_smsc(gammu.EncodePDU(sms, "Submit"))
        ref = sms["UDH"]["ID8bit"] if bits == 8 else sms["UDH"]["ID16bit"]
        want = {"type": "submit", "address": "+15550100123", "encoding": "ucs2" if coding["Unicode"] else "gsm7", "text": sms["Text"],
                "udh": {"concat": {"ref": ref, "total": len(parts), "seq": sms["UDH"]["PartNumber"], "bits": bits}, "ports": None}}
        add("gammu EncodeSMS " + entry, "mo", pdu.hex(), want)
    assert "".join(sms["Text"] for sms in parts) == text


def gammu_user_header(header, elements, data, concat=None, ports=None):
    sms = dict(GAMMU, Text=data, Coding="8bit", UDH=dict(NO_UDH, Type="UserUDH", Text=bytes([len(header)]) + header))
    want = {"type": "submit", "encoding": "data8", "text": None, "data_hex": data.hex().upper(),
            "udh": {"concat": concat, "ports": ports, "elements": elements}}
    add("gammu EncodePDU UserUDH", "mo", without_empty_smsc(gammu.EncodePDU(sms, "Submit")).hex(), want)


def make_gammu():
    for text in GSM_TEXTS:
        gammu_submit(text)
    for text in UCS2_TEXTS:
        gammu_submit(text, "Unicode_No_Compression")
    for data in [b"\0", b"\xff" * 140, bytes(range(128)), b"GET /", b"\x00\x01\x02\xfe"]:
        gammu_submit(data, "8bit")
    for message_class in range(4):
        gammu_submit("class", Class=message_class)
        gammu_submit(b"\x01\x02", "8bit", Class=message_class)
    for number, _ in NUMBERS:
        gammu_submit("number", Number=number)
        gammu_submit("číslo", "Unicode_No_Compression", Number=number, Type="Status_Report")
    for replace in range(1, 8):
        gammu_submit("replace %d" % replace, ReplaceMessage=replace)
    for mr in (0, 1, 77, 128, 255):
        gammu_submit("reference", MessageReference=mr, Type="Status_Report")
    for validity, told in (("1H", "1h"), ("6H", "6h"), ("1D", "24h"), ("3D", "3d"), ("Max", "441d")):
        gammu_submit("validity", SMSC=dict(NO_SMSC, Number="+15550100000", Validity=validity), validity=told)
    gammu_submit("reply path", ReplyViaSameSMSC=1)
    gammu_submit("reject duplicates", RejectDuplicates=1)
    base = datetime.datetime(2026, 1, 2, 3, 4, 5)
    senders = ["+15550100123", "15555", "Example", "Ex", "E", "ABCDEFGHIJ", "ABCDEFGHIJK", "My Shop 24", "A-B.C.D", "info"]
    for i, text in enumerate(GSM_TEXTS + UCS2_TEXTS):
        coding = "Default_No_Compression" if text in GSM_TEXTS else "Unicode_No_Compression"
        gammu_deliver(text, coding, senders[i % len(senders)], base + datetime.timedelta(days=17 * i, seconds=997 * i))
    long_gsm = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. [1] {2} 3 € and so on until the end. " * 9
    long_ucs2 = "Съешь же ещё этих мягких французских булок, да выпей чаю. 😀 " * 9
    for entry, bits in (("ConcatenatedTextLong", 8), ("ConcatenatedTextLong16bit", 16)):
        for length in (161, 250, 460, 700):
            gammu_parts(entry, long_gsm[:length], bits)
        for length in (71, 135, 300, 500):
            gammu_parts(entry, long_ucs2[:length], bits)
    ports = {"destination": 2948, "source": 9200, "bits": 16}
    concat = {"ref": 7, "total": 3, "seq": 1, "bits": 8}
    gammu_user_header(bytes.fromhex("05040B8423F0"), [{"iei": 5, "data": "0B8423F0"}], b"\x01\x06", None, ports)
    gammu_user_header(bytes.fromhex("05040B8423F00003070301"), [{"iei": 5, "data": "0B8423F0"}, {"iei": 0, "data": "070301"}], b"wap",
                      concat, ports)
    gammu_user_header(bytes.fromhex("0402E2E3"), [{"iei": 4, "data": "E2E3"}], b"8-bit ports", None,
                      {"destination": 226, "source": 227, "bits": 8})
    gammu_user_header(bytes.fromhex("7003AABBCC"), [{"iei": 0x70, "data": "AABBCC"}], b"toolkit")
    gammu_user_header(bytes.fromhex("01028003"), [{"iei": 1, "data": "8003"}], b"special message")
    gammu_user_header(bytes.fromhex("0003070300"), [{"iei": 0, "data": "070300"}], b"sequence 0 is no part")


# ---- gsmlib ----------------------------------------------------------------------------------------------------------------------------

gsmlib_lines = []  # (operations, source, way, want)


def septets_of(text):
    out = []
    for c in text:
        out += [0x1B, EXTENSION[c]] if c in EXTENSION else [GSM7.index(c)]
    return out


def stamp_ops(when, zone):
    last = abs(zone) % 10 << 4 | abs(zone) // 10 | (8 if zone < 0 else 0)
    return "digits %s octet %d" % (when.strftime("%y%m%d%H%M%S"), last)


def stamp_text(when, zone):
    return when.strftime("%Y-%m-%dT%H:%M:%S") + "%s%02d:%02d" % ("-" if zone < 0 else "+", abs(zone) // 4, abs(zone) % 4 * 15)


def text_ops(text, header=b""):
    """TP-UDL and TP-UD in GSM-7, `header` with its UDHL."""
    septets = septets_of(text)
    fill = (len(header) * 8 + 6) // 7
    ops = "octet %d septets " % (fill + len(septets))
    if header:
        ops += " ".join("octet %d" % b for b in header) + " fill "
    return ops + ("text " + bytes(septets).hex() if septets else "")


def octet_ops(data):
    return "octet %d " % len(data) + " ".join("octet %d" % b for b in data)


def make_gsmlib():
    when = datetime.datetime(2026, 3, 1, 23, 59, 58)
    for i, zone in enumerate(ZONES):
        t = when + datetime.timedelta(days=29 * i, minutes=7 * i)
        want = {"type": "deliver", "smsc": "+15550100000", "address": "+15550100123", "text": "zone %d" % zone, "encoding": "gsm7",
                "timestamp": stamp_text(t, zone), "pid": 0, "dcs": 0}
        gsmlib_lines.append(("sca +15550100000 octet 4 addr +15550100123 octet 0 octet 0 %s %s" % (stamp_ops(t, zone), text_ops("zone %d" % zone)),
                             "gsmlib SMS-DELIVER", "mt", want))
    for text in GSM_TEXTS:
        for header, concat in ((b"", None), (bytes.fromhex("05000321040A"), None), (bytes.fromhex("050003210A04"), {"ref": 0x21, "total": 10, "seq": 4, "bits": 8}),
                               (bytes.fromhex("06080412340302"), {"ref": 0x1234, "total": 3, "seq": 2, "bits": 16})):
            if (len(header) * 8 + 6) // 7 + len(septets_of(text)) > 160:
                continue
            want = {"type": "deliver", "address": "15555", "text": text, "encoding": "gsm7", "timestamp": stamp_text(when, -32),
                    "udh": {"concat": concat, "ports": None}}
            gsmlib_lines.append(("sca - octet %d addr 15555 octet 0 octet 0 %s %s" % (0x44 if header else 4, stamp_ops(when, -32), text_ops(text, header)),
                                 "gsmlib SMS-DELIVER with header" if header else "gsmlib SMS-DELIVER", "mt", want))
    for pid in (0x00, 0x39, 0x40, 0x41, 0x47, 0x5F, 0x7F):
        want = {"type": "deliver", "pid": pid, "text": "pid", "encoding": "gsm7"}
        gsmlib_lines.append(("sca - octet 4 addr +15550100123 octet %d octet 0 %s %s" % (pid, stamp_ops(when, 0), text_ops("pid")),
                             "gsmlib SMS-DELIVER", "mt", want))
    for dcs, message_class, waiting in ((0x10, 0, None), (0xF1, 1, None), (0x13, 3, None), (0xC8, None, (True, "voicemail", False)),
                                        (0xD1, None, (False, "fax", True)), (0xDA, None, (True, "email", True)), (0x0C, None, None),
                                        (0x84, None, None)):
        want = {"type": "deliver", "dcs": dcs, "class": message_class, "text": "coding", "encoding": "gsm7"}
        if waiting:
            want["waiting"] = {"active": waiting[0], "kind": waiting[1], "store": waiting[2]}
        gsmlib_lines.append(("sca - octet 4 addr +15550100123 octet 0 octet %d %s %s" % (dcs, stamp_ops(when, 0), text_ops("coding")),
                             "gsmlib SMS-DELIVER", "mt", want))
    for data in ("d83dde00", "0436", "00410042", "d83d", "de000041"):
        text = bytes.fromhex(data).decode("utf-16-be", "replace")
        want = {"type": "deliver", "dcs": 8, "text": text, "encoding": "ucs2", "timestamp": stamp_text(when, 0)}
        gsmlib_lines.append(("sca - octet 4 addr +15550100123 octet 0 octet 8 %s %s" % (stamp_ops(when, 0), octet_ops(bytes.fromhex(data))),
                             "gsmlib SMS-DELIVER", "mt", want))
    texts = {0x00: "delivered", 0x46: "validity period expired"}
    for i, status in enumerate([0x00, 0x01, 0x02, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x30, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
                                0x49, 0x50, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x70, 0x80, 0xFF]):
        zone, later = ZONES[i % len(ZONES)], when + datetime.timedelta(seconds=61 * i)
        number = NUMBERS[i % len(NUMBERS)]
        want = {"type": "status-report", "mr": i * 8, "address": number[0], "address_type": number[1], "timestamp": stamp_text(when, zone),
                "discharge": stamp_text(later, zone), "status": status, "text": None, "encoding": None, "more_to_send": False}
        if status in texts:
            want["status_text"] = texts[status]
        gsmlib_lines.append(("sca - octet 6 octet %d addr %s %s %s octet %d" % (i * 8, number[0], stamp_ops(when, zone), stamp_ops(later, zone), status),
                             "gsmlib SMS-STATUS-REPORT", "mt", want))
    for i, text in enumerate(("ok", "delivered [1]")):
        want = {"type": "status-report", "mr": 9, "status": 0, "pid": 0, "dcs": 0, "text": text, "encoding": "gsm7"}
        gsmlib_lines.append(("sca +15550100000 octet 2 octet 9 addr 15555 %s %s octet 0 octet 7 octet 0 octet 0 %s"
                             % (stamp_ops(when, 4), stamp_ops(when, 4), text_ops(text)), "gsmlib SMS-STATUS-REPORT with text", "mt",
                             dict(want, smsc="+15550100000", more_to_send=True)))
    for failure in (None, 0xD3, 0xD0, 0xFF):
        for text in (None, "ack", "€"):
            ops = "sca - octet 0 " + ("octet %d " % failure if failure else "")
            ops += "octet 0" if text is None else "octet 7 octet 65 octet 0 " + text_ops(text)
            want = {"type": "deliver-report", "failure": failure, "text": text, "pid": None if text is None else 65}
            gsmlib_lines.append((ops, "gsmlib SMS-DELIVER-REPORT", "mo", want))
    for i, zone in enumerate(ZONES):
        want = {"type": "submit", "address": "+15550100123", "validity": stamp_text(when, zone), "text": "until", "report_requested": i % 2 == 1,
                "mr": i}
        gsmlib_lines.append(("sca - octet %d octet %d addr +15550100123 octet 0 octet 0 %s %s" % (0x19 | (0x20 if i % 2 else 0), i, stamp_ops(when, zone),
                                                                                                  text_ops("until")), "gsmlib SMS-SUBMIT absolute", "mo", want))
    for octet, told in ((0, "5m"), (11, "1h"), (143, "12h"), (144, "750m"), (167, "24h"), (168, "2d"), (196, "30d"), (197, "35d"), (255, "441d")):
        want = {"type": "submit", "validity": told, "text": "vp", "address": "15555", "address_type": "unknown"}
        gsmlib_lines.append(("sca - octet 17 octet 0 addr 15555 octet 0 octet 0 octet %d %s" % (octet, text_ops("vp")), "gsmlib SMS-SUBMIT relative", "mo",
                             want))


def run_gsmlib(program):
    lines = "".join(ops + "\n" for ops, _, _, _ in gsmlib_lines)
    out = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout.split()
    assert len(out) == len(gsmlib_lines)
    for hexed, (_, source, way, want) in zip(out, gsmlib_lines):
        add(source, way, hexed, want)


# ---- by hand ---------------------------------------------------------------------------------------------------------------------------

def make_by_hand():
    """Examples of the standards and shapes of real devices, with numbers of our own."""
    stamp = "621112010000"
    deliver = {"type": "deliver", "timestamp": "2026-11-21T10:00:00+00:00"}
    # TS 23.040 §9.1.2.5: the alphanumeric address "Design@Home".
    add("TS-23.040 9.1.2.5", "mt", "0004" + "14D0C4F23C7D760390EF7619" + "0000" + stamp + "00" + "0361F118",
        dict(deliver, address="Design@Home", address_type="alphanumeric", text="abc"))
    # TS 23.038 annex A: national language tables, elements 24 and 25 (TS 23.040 §9.2.3.24.15, .16).
    for identifier, septets, single, locking, text in (
            (1, [0x1B, 0x53, 0x1B, 0x69, 0x1B, 0x67], True, False, "Şığ"), (1, [0x07, 0x0C, 0x1C], False, True, "ığŞ"),
            (2, [0x1B, 0x41, 0x1B, 0x75], True, False, "Áú"), (3, [0x1B, 0x7B, 0x1B, 0x05], True, False, "ãê"),
            (3, [0x15, 0x7B, 0x60], False, True, "∞ã~"), (4, [0x00, 0x40], False, True, "ঁব"), (5, [0x03, 0x60], False, True, "અૐ"),
            (6, [0x28, 0x2F, 0x4A], False, True, ")नश"), (7, [0x24, 0x15], False, True, "ಡಕ"),
            (8, [0x15, 0x16], False, True, "കഖ"), (9, [0x15, 0x17], False, True, "କଗ"), (10, [0x15, 0x15], False, True, "ਕਕ"),
            (11, [0x15, 0x3C], False, True, "கன"), (12, [0x15, 0x60], False, True, "కౕ"), (13, [0x00, 0x11], False, True, "اج"),
            (6, [0x1B, 0x1C, 0x1B, 0x1D], True, False, "०१"), (13, [0x1B, 0x3F], True, False, "۔")):
        header = b""
        if single:
            header += bytes([0x24, 1, identifier])
        if locking:
            header += bytes([0x25, 1, identifier])
        header = bytes([len(header)]) + header
        fill = (len(header) * 8 + 6) // 7
        bits = int.from_bytes(header, "little")
        for i, septet in enumerate(septets):
            bits |= septet << (fill + i) * 7
        length = fill + len(septets)
        data = bits.to_bytes((length * 7 + 7) // 8, "little")
        national = {"single": identifier if single else 0, "locking": identifier if locking else 0}
        add("TS-23.038 annex A, packed by hand", "mt", "00440B915155100021F30000" + stamp + "00%02X" % length + data.hex(),
            dict(deliver, text=text, encoding="gsm7", udh={"concat": None, "ports": None, "national": national}))
    # MODEMS.md T63 (a report of 25 octets) and T67 (an own message in the list), with invented numbers.
    add("MODEMS T63", "mt", "07915155100000F0" + "06230C91515510501032" + "62111211000000" + "62111211100000" + "00",
        {"type": "status-report", "smsc": "+15550100000", "mr": 0x23, "address": "+155501050123", "status": 0, "timestamp": "2026-11-21T11:00:00+00:00",
         "discharge": "2026-11-21T11:01:00+00:00"})
    add("MODEMS T67", "mo", "0011000B811555100021F30000A70361F118",
        {"type": "submit", "address": "51550100123", "address_type": "unknown", "validity": "24h", "text": "abc"})
    # Shapes of real networks: a letter among the digits, a number of unknown plan, an even count that ends in filling.
    add("by-hand digits", "mt", "0004" + "0681BADCEE" + "0000" + stamp + "00" + "0161", dict(deliver, address="*#abcc", text="a"))
    add("by-hand filled", "mt", "0004" + "06811555F5" + "0000" + stamp + "00" + "0161", dict(deliver, address="51555", text="a"))
    add("by-hand escape", "mt", "0004" + "0581" + "5155F5" + "0000" + stamp + "00" + "03" + (0x1B | 0x1B << 7 | 0x41 << 14).to_bytes(3, "little").hex(),
        dict(deliver, text=" A", address="15555"))


def main():
    make_gammu()
    make_gsmlib()
    run_gsmlib(sys.argv[1])
    make_by_hand()
    for row in corpus:
        print(json.dumps(row, ensure_ascii=False, sort_keys=False))


main()
