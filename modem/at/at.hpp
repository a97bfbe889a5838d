#pragma once
// The words of the AT dialogue (V.250, TS 27.005, TS 27.007): commands, their answers, and whose line a line is.
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/result.hpp"

namespace conductor::at {

enum class AtErrc {
    timeout = 1,  ///< no final result before the command's absolute deadline
    refused,      ///< ERROR, +CMS ERROR, +CME ERROR, COMMAND NOT SUPPORT
    lost,         ///< the port went away
    rebooted,     ///< the modem said that it has just started
    not_open,     ///< no modem behind the port now
    interrupted,  ///< we stop
    malformed,    ///< an answer that does not hold what it must
    forbidden,    ///< a command that the caller may not give
};
const char* errc_library(AtErrc);
std::string_view describe(AtErrc e);

/// Which lines besides its prefix a running command owns.
enum class Shape : std::uint8_t {
    prefixed,  ///< those with info_prefix alone
    bare,      ///< and lines that begin with a letter, digit or quote (AT+CGMI, ATI)
    pairs,     ///< and the hex line after each of those (AT+CMGR, AT+CMGL in PDU mode)
    loose,     ///< and everything that is no known URC (a technician's command)
};

/// One AT command as data. AtSession alone writes it and reads the answer.
struct Command {
    std::string line;                         ///< without "AT" and CR: "+CSQ"
    std::string info_prefix{};                ///< the lines it owns: "+CSQ:"; every other line is a URC
    std::chrono::milliseconds timeout{3000};  ///< absolute, from the last octet written to the final result code
    Shape shape = Shape::prefixed;
    bool prompt = false;  ///< the answer may be "> "
    bool blind = false;   ///< written even to a modem that does not answer any more (a restart)
    /// Where it is not 0: the deadline moves on while lines of the answer come no further apart than this, but not past `at_most`.
    std::chrono::milliseconds between_lines{0}, at_most{0};
};
/// The command with prefix, shape and deadline from the command table; the prefix of an unlisted one is its name and ":".
Command command(std::string line);

/// True when a command line (with "AT" or without) holds, at whatever place of a concatenated one (V.250 §5.4.1), what sends past the queue
/// or ends in a prompt, a call or data mode: +CMGS, +CMGW, +CMGC, +CMSS, +CGDATA, D, A, O.
bool sends_or_calls(std::string_view line);

/// A final result code. `code` is the number of +CMS ERROR or +CME ERROR, also where the modem wrote its text; empty when it is neither.
struct FinalResult {
    enum class Kind : std::uint8_t { ok, error, cms, cme, not_supported };
    Kind kind = Kind::ok;
    std::optional<int> code;
    bool operator==(const FinalResult&) const = default;
};
/// NO CARRIER, BUSY and the like are none: nothing is dialled here (they would end a command that they do not belong to).
std::optional<FinalResult> parse_final(std::string_view line);
/// "ok", "error", "cms-38", "cme-14", "not-supported".
std::string word(const FinalResult& final);

/// The answer to a command. `lines` are those it owned, in order; for Shape::pairs header and PDU alternate (a PDU may be missing).
struct Reply {
    std::vector<std::string> lines;
    FinalResult final;
    bool ok() const { return final.kind == FinalResult::Kind::ok; }
};

bool is_hex(std::string_view text);                    ///< not empty, hex digits only
bool starts_with(std::string_view, std::string_view);  ///< ASCII case ignored
std::string_view trim(std::string_view text);          ///< blanks at both ends
std::optional<int> to_int(std::string_view text);      ///< decimal with optional sign; empty when anything else is there
std::string upper(std::string_view text);              ///< ASCII

}  // namespace conductor::at
