#pragma once
// Every stable reason word and its sentence: what happens next and who must act.
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/message.hpp"
#include "modem/at/errors.hpp"

namespace conductor::dispatch {

/// The sentence of a reason word; `detail` (may be empty) fills what varies (a time, a number of seconds, an id). Unknown words get a
/// sentence that quotes them.
std::string reason_text(std::string_view word, std::string_view detail = {});
/// The same for a message in `status`: a network's refusal says "tried again by itself" only while that is true.
std::string reason_text(std::string_view word, MessageStatus status, std::string_view detail = {});
/// The failure behind a word: "cms-38", "cme-14"; nothing for other words.
std::optional<at::Failure> failure_of_word(std::string_view word);
/// True when the word has a sentence of its own ("cms-38" and all other codes do).
bool known_reason(std::string_view word);
/// All words but those with a number ("cms-38", "cme-14").
std::vector<std::string_view> reason_words();

}  // namespace conductor::dispatch
