#pragma once
// Registration in the network (TS 27.007 §7.2, §10.1.19, §10.1.22, §10.1.47): what its states and reject causes mean.
#include <optional>
#include <string>
#include <string_view>

#include "modem/at/answers.hpp"

namespace conductor::at {

/// SMS can be sent: home, roaming, "SMS only" of both, CSFB not preferred of both. 8 and 11 are emergency alone.
bool registration_usable(int stat);

/// <reject_cause> of a +CREG?, +CGREG?, +CEREG? or +C5GREG? answer in the mode n = 3; empty where there is none.
std::optional<int> parse_reject_cause(Answer lines);
/// The text of +CEER: (TS 27.007 §6.10); empty when it says nothing.
std::string parse_ceer(Answer lines);
/// A reject cause in words and what follows from it (TS 24.008 §10.5.3.6, TS 24.301 §9.9.3.9): "The SIM is not known to its operator."
std::string_view reject_cause_text(int cause);

}  // namespace conductor::at
