#pragma once
// Unsolicited result codes: what a modem says unasked.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "modem/at/at.hpp"

namespace conductor::at {

/// +CMTI or +CDSI: something was stored. An index below 0 or an unknown memory means "look everywhere" (T29, T57).
struct Stored {
    std::string memory;
    int index = -1;
    bool report = false;
    bool operator==(const Stored&) const = default;
};
/// +CMT or +CDS: a PDU handed over and stored nowhere. `hex` is upper case, with the SMSC field.
struct Direct {
    std::string hex;
    std::optional<int> length;  ///< octets of the TPDU, without SMSC field
    bool report = false;
    bool operator==(const Direct&) const = default;
};
/// +CREG, +CGREG, +CEREG, +C5GREG (TS 27.007 §7.2, §10.1).
struct Registration {
    std::string domain;  ///< "+CREG" ...
    int stat = 0;
    bool operator==(const Registration&) const = default;
};
/// +CUSD: m, str, dcs (TS 27.007 §7.15). `text` is as the modem wrote it.
struct Ussd {
    int status = 0;
    std::string text;
    std::optional<int> dcs;
    bool operator==(const Ussd&) const = default;
};
/// RING, +CRING, or +CLIP behind it (TS 27.007 §7.6), which has the caller's number unless that is withheld: digits, '+', '*', '#'.
struct Ring {
    std::string number{};
    bool operator==(const Ring&) const = default;
};
/// The modem has just started, or goes down. `sure` is false for a line that some modems repeat for ever (^BOOT, T49) and for a mere
/// warning of low voltage.
struct Boot {
    std::string text;
    bool sure = true;
    bool brown_out = false;  ///< it said that its supply was too low
    bool operator==(const Boot&) const = default;
};
/// "SMS Ready", "+QIND: SMS DONE" ...: SMS commands work from here (T55, FIELD rows 26, 35, 50).
struct Ready {
    bool operator==(const Ready&) const = default;
};
struct StorageFull {
    std::string memory;
    bool operator==(const StorageFull&) const = default;
};
/// +CMGS or +CMSS that no running command owns: a submission that was given up has its answer.
struct Reference {
    int tp_mr = 0;
    bool operator==(const Reference&) const = default;
};
/// +CPIN, ^SIMST, +QUSIM ...: the SIM changed its state.
struct SimChange {
    std::string text;
    bool operator==(const SimChange&) const = default;
};
/// Known and of no use here (^RSSI, ^MODE, +CRING ...).
struct Noise {
    bool operator==(const Noise&) const = default;
};
using Urc = std::variant<Stored, Direct, Registration, Ussd, Ring, Boot, Ready, StorageFull, Reference, SimChange, Noise>;

/// `lines` is 2 where a PDU follows on a line of its own.
struct UrcRule {
    std::string_view prefix;
    int lines = 1;
    Result<Urc> (*parse)(std::span<const std::string> lines);
    bool whole = false;  ///< the line is the prefix and nothing else
};
std::span<const UrcRule> urc_rules();
/// The rule that the line begins with; null for none.
const UrcRule* find_rule(std::string_view line, std::span<const UrcRule> rules);

enum class Owner { final_result, command, urc, nobody };
/// Whose line is this? A running command owns its final result and the prefix it declared (and what its shape says), and nothing else.
Owner owner_of(std::string_view line, const Command* running, std::span<const UrcRule> rules);

/// <stat> of a +CREG line, of a query's answer or of a URC; empty when there is none (T39).
std::optional<int> registration_stat(std::string_view line);

}  // namespace conductor::at
