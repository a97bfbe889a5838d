#pragma once
// Near characters of the GSM-7 default alphabet for those that it lacks.
#include <string>
#include <string_view>
#include <vector>

#include "modem/sms/sms.hpp"

namespace conductor::sms {

struct Transliterated {
    std::u32string text;
    std::vector<Replacement> replaced;  ///< in order of first occurrence
};

/// Replaces what GSM-7 (default alphabet and extension) lacks by what a reader takes for the same: letters lose their marks, typographic
/// quotes, dashes, spaces and ligatures become plain ones, invisible characters go. What has no near character stays.
Transliterated transliterate(std::u32string_view text);

}  // namespace conductor::sms
