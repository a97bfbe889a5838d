#pragma once
// A text as people mean it: capitals without accents, punctuation and width, single blanks.
#include <string>
#include <string_view>

namespace conductor::dispatch {

/// ASCII capitals and digits with single blanks between words: "¡Stop, por favor!" becomes "STOP POR FAVOR". Apostrophes vanish ("don't" is
/// "DONT"), Latin accents go, full-width forms become ASCII, every other script becomes '?' so that it is no empty text. Never longer than
/// `text`.
std::string fold(std::string_view text);
/// fold() without its blanks.
std::string joined_fold(std::string_view text);

}  // namespace conductor::dispatch
