#pragma once
// Every stable reason word and its sentence: what happens next and who must act.
#include <string>
#include <string_view>

namespace conductor::dispatch {

/// The sentence of a reason word; `detail` (may be empty) fills what varies (a time, a number of seconds, an id). Unknown words get a
/// sentence that quotes them.
std::string reason_text(std::string_view word, std::string_view detail = {});
/// True when the word has a sentence of its own ("cms-38" and all other codes do).
bool known_reason(std::string_view word);

}  // namespace conductor::dispatch
