#include "daemon/core/msisdn.hpp"

#include <algorithm>
#include <cstdint>

#include "daemon/core/calling_codes.hpp"
#include "daemon/core/nanp.hpp"

namespace conductor {
namespace {

/// What a person wrote, reduced to digits.
struct Written {
    std::string digits;
    bool plus = false;
};

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t length = 1;
};
/// The UTF-8 code point at `at`, of at most three octets; U+FFFD for anything else.
CodePoint code_point(std::string_view text, std::size_t at) {
    constexpr CodePoint bad{0xFFFD, 1};
    const auto octet = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(text[i])); };
    const unsigned first = octet(at);
    if (first < 0x80) return {first, 1};
    const std::size_t length = first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3 : 0;
    if (length == 0 || text.size() - at < length) return bad;
    std::uint32_t value = length == 2 ? first & 0x1Fu : first & 0x0Fu;
    for (std::size_t i = 1; i < length; ++i) {
        if ((octet(at + i) & 0xC0u) != 0x80u) return bad;
        value = value << 6 | (octet(at + i) & 0x3Fu);
    }
    return {value, length};
}

/// Blanks, dashes, dots, brackets, and the invisible marks that come along when a number is copied.
bool is_separator(std::uint32_t c) {
    if (c < 0x80) return std::string_view{" \t-.()/"}.find(static_cast<char>(c)) != std::string_view::npos;
    return c == 0xA0 || c == 0xAD || (c >= 0x2000 && c <= 0x2015) || (c >= 0x2028 && c <= 0x202F) || c == 0x2060 || c == 0x2212 ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x3000 || c == 0xFEFF || c == 0xFF08 || c == 0xFF09 || c == 0xFF0D;
}

Result<Written> reduce(std::string_view text) {
    Written out;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint c = code_point(text, at);
        if (c.value >= '0' && c.value <= '9')
            out.digits += static_cast<char>(c.value);
        else if (c.value >= 0xFF10 && c.value <= 0xFF19)
            out.digits += static_cast<char>('0' + (c.value - 0xFF10));
        else if (c.value == '+' || c.value == 0xFF0B) {
            if (out.plus || !out.digits.empty()) return fail(NumberErrc::bad_character, "number", at);
            out.plus = true;
        } else if ((c.value >= 'a' && c.value <= 'z') || (c.value >= 'A' && c.value <= 'Z')) {
            return fail(NumberErrc::letters, "number", at);
        } else if (!is_separator(c.value)) {
            return fail(NumberErrc::bad_character, "number", at);
        }
        const bool trunk_in_brackets = out.plus && !out.digits.empty() && text.substr(at).starts_with("(0)");  // "+44 (0) 20 …"
        at += trunk_in_brackets ? 3 : c.length;
    }
    if (out.digits.empty()) return fail(out.plus ? NumberErrc::too_short : NumberErrc::empty, "number");
    return out;
}

bool fits(const CallingCode& plan, std::size_t length) {
    return length >= static_cast<std::size_t>(plan.least) && length <= static_cast<std::size_t>(plan.most);
}

bool is_premium(const CallingCode& plan, std::string_view national) {
    for (std::string_view rest = plan.premium; !rest.empty();) {
        const std::string_view prefix = rest.substr(0, rest.find(' '));
        if (national.starts_with(prefix)) return true;
        rest.remove_prefix(std::min(rest.size(), prefix.size() + 1));
    }
    return plan.code == 1 && national.substr(3, 3) == "976";
}

/// `national` without its trunk prefix, if what is left can be a number and it could not be one before, or is meant to be dialled with it.
std::string_view drop_trunk(const CallingCode& plan, std::string_view national) {
    if (plan.trunk.empty() || !national.starts_with(plan.trunk)) return national;
    const std::string_view rest = national.substr(plan.trunk.size());
    const bool trunk_is_digit_of_numbers = plan.trunk != "0" && plan.trunk != "06";
    if (trunk_is_digit_of_numbers && fits(plan, national.size())) return national;
    return fits(plan, rest.size()) ? rest : national;
}

Result<Msisdn> finish(const CallingCode& plan, std::string_view national) {
    if (national.size() < static_cast<std::size_t>(plan.least)) return fail(NumberErrc::too_short, "number");
    const std::string code = std::to_string(plan.code);
    if (!fits(plan, national.size()) || code.size() + national.size() > 15) return fail(NumberErrc::too_long, "number");
    if (is_premium(plan, national)) return fail(NumberErrc::premium, "number");
    return Msisdn{"+" + code + std::string{national}, false};
}

Result<Msisdn> international(std::string_view digits) {
    if (digits.size() > 16) return fail(NumberErrc::too_long, "number");
    const CallingCode* plan = find_calling_code(digits);
    if (!plan) return fail(NumberErrc::unknown_country, "number");
    return finish(*plan, drop_trunk(*plan, digits.substr(std::to_string(plan->code).size())));
}

}  // namespace

const char* errc_library(NumberErrc) {
    return "number";
}

std::string_view describe(NumberErrc e) {
    switch (e) {
        case NumberErrc::empty: return "the phone number is empty";
        case NumberErrc::letters: return "a phone number has no letters";
        case NumberErrc::bad_character: return "a phone number has digits, a leading + and separators alone";
        case NumberErrc::too_short: return "the phone number is too short for its country";
        case NumberErrc::too_long: return "the phone number is too long for its country";
        case NumberErrc::unknown_country: return "the phone number begins with no known calling code";
        case NumberErrc::premium: return "premium numbers are refused";
    }
    return "unknown number error";
}

Result<Msisdn> parse_msisdn(std::string_view written, std::string_view region) {
    const Result<Written> reduced = reduce(written);
    if (!reduced) return reduced.error();
    const std::string_view digits = reduced->digits;
    if (reduced->plus) return international(digits);
    const CallingCode* plan = calling_code_of(region);
    if (digits.starts_with("00") && digits.size() > 8) return international(digits.substr(2));
    if (plan && plan->code == 1 && digits.starts_with("011") && digits.size() > 11) return international(digits.substr(3));
    const bool short_length = digits.size() >= 3 && digits.size() <= 8;
    if (!plan) {
        if (short_length) return Msisdn{std::string{digits}, true};
        return fail(digits.size() < 3 ? NumberErrc::too_short : NumberErrc::unknown_country, "number");
    }
    const std::string_view national = drop_trunk(*plan, digits);
    const bool had_trunk = national.size() != digits.size();
    if (short_length && !had_trunk && !(plan->trunk.empty() && fits(*plan, digits.size()))) return Msisdn{std::string{digits}, true};
    const std::string code = std::to_string(plan->code);
    if (!had_trunk && !fits(*plan, digits.size()) && digits.starts_with(code) && fits(*plan, digits.size() - code.size()))
        return finish(*plan, digits.substr(code.size()));  // the calling code without its '+'
    return finish(*plan, national);
}

std::optional<std::string_view> region_of(std::string_view e164) {
    if (!e164.starts_with('+') || e164.size() < 5) return std::nullopt;
    const std::string_view digits = e164.substr(1);
    const CallingCode* plan = find_calling_code(digits);
    if (!plan || plan->regions.empty()) return std::nullopt;
    if (plan->code == 1) {
        if (digits.substr(0, 4).find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
        const AreaCode* area = find_area_code((digits[1] - '0') * 100 + (digits[2] - '0') * 10 + (digits[3] - '0'));
        return area ? area->region : std::string_view{"US"};
    }
    if (plan->code == 7 && digits.size() > 1 && (digits[1] == '6' || digits[1] == '7')) return "KZ";
    return plan->regions.substr(0, 2);
}

bool known_region(std::string_view region) {
    return calling_code_of(region) != nullptr;
}

}  // namespace conductor
