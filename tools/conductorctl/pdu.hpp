#pragma once
// `conductorctl pdu encode|decode`: pure functions, no daemon needed. The command line is parsed elsewhere.
#include <istream>
#include <optional>
#include <ostream>
#include <string>

namespace conductor::ctl {

/// Options of `pdu encode`, as written on the command line.
struct PduEncodeOptions {
    std::string to{};
    std::string text{};
    bool report = false;                    ///< --report: TP-SRR
    bool flash = false;                     ///< --flash: class 0
    std::optional<std::string> validity{};  ///< --validity: 30m, 24h, 3d, 2w; relative TP-VP, rounded up
    std::optional<std::string> smsc{};      ///< --smsc: service centre; absent = the SIM's own
    std::optional<int> ref{};               ///< --ref: concatenation reference; above 255 it takes the 16-bit element
    std::string encoding = "auto";          ///< --encoding: auto, gsm7, ucs2
};

/// Writes the SMS-SUBMIT PDUs of a text. Exit code: 0, 1 the text cannot be encoded so, 2 a bad option.
int pdu_encode(const PduEncodeOptions& options, bool json, std::ostream& out, std::ostream& err);

/// Writes what a PDU says. `hex_or_dash` "-" reads one hex PDU a line from `in` and writes one JSON a line, {"error": ...} for a bad one.
/// `direction` is "mo" or "mt"; without it TP-MTI decides: 0 deliver (or else deliver report), 1 submit, 2 status report.
/// Exit code: 0, 1 a PDU could not be decoded, 2 a bad option.
int pdu_decode(std::string hex_or_dash, std::optional<std::string> direction, bool json, std::istream& in, std::ostream& out,
               std::ostream& err);

}  // namespace conductor::ctl
