#pragma once
// What the parsers of modem/at and modem/pdu make of the lines of a transcript, as text for its *.chk.
#include <string>
#include <string_view>
#include <vector>

#include "modem/at/at.hpp"
#include "modem/at/urc.hpp"

namespace conductor::replay {

/// "hello" from +1555..., a report and its TP-MR and outcome, or where the octets stop to make sense. `hex` begins with the SMSC field.
std::string pdu_text(std::string_view hex);
/// The values in the answer to `command` (without "AT"); none for a command whose answer nobody reads. `prompted`: after the prompt, so
/// that a failed submission gets its verdict of the error table for after Ctrl-Z.
std::vector<std::string> values_of(const std::string& command, const at::Reply& reply, bool prompted);
std::vector<std::string> values_of(const at::Urc& urc);

}  // namespace conductor::replay
