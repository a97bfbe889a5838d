#pragma once
// Phone numbers: what people write, to E.164 or a short code.
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/result.hpp"

namespace conductor {

enum class NumberErrc { empty = 1, letters, bad_character, too_short, too_long, unknown_country, premium };
const char* errc_library(NumberErrc);
std::string_view describe(NumberErrc e);

/// A phone number that can be dialled: E.164 ("+15550100123", 8-15 digits) or a short code of 3-8 digits.
struct Msisdn {
    std::string text;
    bool short_code = false;
    bool operator==(const Msisdn&) const = default;
};

/// Normalises what a person wrote: separators (space - . ( ) /) are dropped, "00" and "011" become "+", a national number gets the
/// calling code of `region` (ISO 3166 alpha-2) after its trunk prefix is dropped. Lengths are those possible for the calling code;
/// numbering plans are not checked. Letters, '*' and '#' are errors.
Result<Msisdn> parse_msisdn(std::string_view written, std::string_view region);

/// ISO region of an E.164 number by calling code (for +1 by area code: US, CA or the Caribbean state); empty when unknown or short.
std::optional<std::string_view> region_of(std::string_view e164);

}  // namespace conductor
