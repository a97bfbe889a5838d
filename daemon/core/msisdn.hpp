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

/// Normalises what a person wrote: separators (space - . ( ) / and their Unicode kin) are dropped, full-width digits become digits, "00"
/// and (in the countries of +1) "011" become "+", a "(0)" after the calling code goes, a national number gets the calling code of `region`
/// (ISO 3166 alpha-2) after its trunk prefix is dropped. Lengths are those possible for the calling code; numbering plans are not checked.
/// 3-8 digits without trunk prefix are a short code, unless the region has no trunk prefix and national numbers of that length (DK, SG).
/// Letters, '*' and '#' are errors, and so are numbers of premium ranges.
Result<Msisdn> parse_msisdn(std::string_view written, std::string_view region);

/// ISO region of an E.164 number by calling code (for +1 by area code: US, CA or the Caribbean state; US where an area code is not in
/// service, such as 555); the main one where several share a code. Empty when unknown, a global service, or a short code.
std::optional<std::string_view> region_of(std::string_view e164);

/// ISO 3166 alpha-2 of a country that has a calling code.
bool known_region(std::string_view region);

}  // namespace conductor
