#include "modem/at/answers.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "modem/at/fields.hpp"

namespace conductor::at {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    return (c | 0x20) - 'a' + 10;
}

/// Octet i of a hex string; -1 behind its end.
int octet_at(std::string_view hex, std::size_t i) {
    if (hex.size() < 2 * i + 2) return -1;
    return hex_value(hex[2 * i]) * 16 + hex_value(hex[2 * i + 1]);
}

/// The last number behind <stat> that is not 0: some modems write ",0" behind the length (FIELD row 79).
std::optional<int> length_in(const Fields& f, std::size_t behind) {
    for (std::size_t i = f.size(); i-- > behind;)
        if (const auto value = f.number(i); value && *value > 0) return value;
    return std::nullopt;
}

StoredPdu entry(std::string_view header, bool with_index) {
    const Fields f{header};
    StoredPdu pdu;
    if (with_index) pdu.index = f.number(0).value_or(-1);
    pdu.stat = f.number(with_index ? 1 : 0).value_or(1);
    if (pdu.stat < 0 || pdu.stat > 4) pdu.stat = 1;
    pdu.length = length_in(f, with_index ? 2 : 1);
    return pdu;
}

std::vector<StoredPdu> entries(Answer lines, bool with_index) {
    std::vector<StoredPdu> found;
    for (const std::string& line : lines) {
        if (!is_hex(line)) {
            found.push_back(entry(line, with_index));
        } else if (!found.empty() && found.back().hex.empty()) {
            found.back().hex = line;
        }
    }
    return found;
}

}  // namespace

std::optional<int> parse_csq(Answer lines) {
    for (const std::string& line : lines) {
        const auto rssi = Fields{line}.number(0);
        if (!rssi) continue;
        if (*rssi >= 0 && *rssi <= 31) return -113 + 2 * *rssi;
        if (*rssi >= 100 && *rssi <= 191) return -216 + *rssi;  // TD-SCDMA and LTE extension of several vendors
        return std::nullopt;
    }
    return std::nullopt;
}

bool StoredPdu::whole() const {
    const int smsc = octet_at(hex, 0);
    return length && smsc >= 0 && hex.size() == 2U * static_cast<std::size_t>(1 + smsc + *length);
}

std::optional<StoredPdu> parse_cmgr(Answer lines) {
    const auto found = entries(lines, false);
    for (const StoredPdu& pdu : found)
        if (!pdu.hex.empty()) return pdu;
    return std::nullopt;
}

std::vector<StoredPdu> parse_cmgl(Answer lines) {
    return entries(lines, true);
}

StoredKind kind_of(const StoredPdu& pdu) {
    const std::string_view behind_sca = std::string_view{pdu.hex}.substr(pdu.hex.size() > 2 && pdu.hex.starts_with("00") ? 2 : 0);
    if (std::ranges::all_of(behind_sca, [](char c) { return c == 'F' || c == 'f'; })) return StoredKind::blank;
    if (pdu.stat == 2 || pdu.stat == 3) return StoredKind::own;
    const int smsc = octet_at(pdu.hex, 0);
    const int first = smsc < 0 ? -1 : octet_at(pdu.hex, static_cast<std::size_t>(smsc) + 1);
    if (first < 0) return StoredKind::message;
    switch (first & 3) {
        case 1: return StoredKind::submission;
        case 2: return StoredKind::report;
        default: return StoredKind::message;
    }
}

std::optional<int> parse_reference(Answer lines) {
    for (const std::string& line : lines)
        if (const auto mr = Fields{line}.number(0)) return mr;
    return std::nullopt;
}

std::vector<StorageUse> parse_cpms(Answer lines) {
    std::vector<StorageUse> found;
    if (lines.empty()) return found;
    const Fields f{lines[0]};
    const bool named = f[0].quoted || !f.number(0);
    const std::size_t step = named ? 3 : 2;
    for (std::size_t i = 0; i + step <= f.size(); i += step) {
        const std::size_t at = named ? i + 1 : i;
        const auto used = f.number(at), total = f.number(at + 1);
        if (used && total) found.push_back({named ? upper(f.text(i)) : std::string{}, *used, *total});
    }
    return found;
}

std::vector<std::vector<std::string>> parse_cpms_test(Answer lines) {
    std::vector<std::vector<std::string>> lists;
    if (lines.empty()) return lists;
    const Fields f{lines[0]};
    for (std::size_t i = 0; i < f.size() && lists.size() < 3; ++i)
        if (!f.text(i).empty() && f.text(i).front() == '(') lists.push_back(quoted_words(f.text(i)));
    if (lists.empty()) lists.push_back(quoted_words(lines[0]));
    return lists;
}

std::optional<std::string> parse_cpin(Answer lines) {
    if (lines.empty()) return std::nullopt;
    const std::string state = upper(Fields{lines[0]}.text(0));
    return state.empty() ? std::nullopt : std::optional{state};
}

std::optional<int> parse_pin_tries(Answer lines) {
    struct Form {
        std::string_view prefix, first;  ///< `first`: what the first field must be, if anything
        std::size_t field;
    };
    constexpr Form forms[] = {{"+CPINR:", "SIM PIN", 1}, {"^CPIN:", "", 3}, {"+QPINC:", "SC", 1}, {"+SPIC:", "", 0},
                              {"^SPIC:", "", 0},         {"#PCT:", "", 0},  {"+UPINCNT:", "", 0}};
    for (const std::string& line : lines)
        for (const Form& form : forms) {
            const Fields f{line};
            if (starts_with(line, form.prefix) && (form.first.empty() || upper(f.text(0)) == form.first)) return f.number(form.field);
        }
    return std::nullopt;
}

namespace {
/// A number written in UCS-2 hex (T35): every unit is a digit or '+'. A plain number that begins with 00 is none.
std::optional<std::string> from_ucs2(std::string_view hex) {
    if (hex.size() < 8 || hex.size() % 4 != 0 || !is_hex(hex)) return std::nullopt;
    std::string plain;
    for (std::size_t i = 0; i < hex.size() / 2; i += 2) {
        const int high = octet_at(hex, i), low = octet_at(hex, i + 1);
        if (high != 0 || !(low == '+' || (low >= '0' && low <= '9'))) return std::nullopt;
        plain += static_cast<char>(low);
    }
    return plain;
}
}  // namespace

std::optional<std::string> parse_csca(Answer lines) {
    if (lines.empty()) return std::nullopt;
    const Fields f{lines[0]};
    std::string number = f.text(0);
    if (auto plain = from_ucs2(number)) number = std::move(*plain);
    if (number.empty()) return std::nullopt;
    if (number.front() != '+' && f.number(1) == 145) number.insert(0, "+");
    return number;
}

std::optional<std::string> parse_cops(Answer lines) {
    if (lines.empty()) return std::nullopt;
    const Fields f{lines[0]};
    if (f.size() < 3 || f.text(2).empty()) return std::nullopt;
    return f.text(2);
}

std::vector<int> parse_numbers(Answer lines) {
    std::vector<int> numbers;
    if (lines.empty()) return numbers;
    const Fields f{lines[0]};
    for (std::size_t i = 0; i < f.size(); ++i) {
        const auto n = f.number(i);
        if (!n) break;
        numbers.push_back(*n);
    }
    return numbers;
}

std::optional<std::string> parse_long_number(Answer lines, std::size_t least) {
    for (const std::string& line : lines) {
        for (std::size_t i = 0; i < line.size();) {
            std::size_t end = i;
            while (end < line.size() && is_digit(line[end])) ++end;
            if (end - i >= least) return line.substr(i, end - i);
            i = end + 1;
        }
    }
    return std::nullopt;
}

std::optional<WallTime> parse_clock(Answer lines) {
    if (lines.empty() || !starts_with(lines[0], "+CCLK:")) return std::nullopt;
    std::array<int, 6> field{};  // year, month, day, hour, minute, second
    std::string_view rest = std::string_view{lines[0]}.substr(6);
    rest.remove_prefix(std::min(rest.find_first_of("0123456789"), rest.size()));
    const auto take = [&rest](int& into) {
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), into);
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        return error == std::errc{};
    };
    constexpr std::string_view behind = "//,::";
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (!take(field[i]) || field[i] < 0) return std::nullopt;
        if (i == behind.size()) break;
        if (!rest.starts_with(behind[i])) return std::nullopt;
        rest.remove_prefix(1);
    }
    if (!rest.starts_with('+') && !rest.starts_with('-')) return std::nullopt;
    const bool west = rest.front() == '-';
    rest.remove_prefix(1);
    int quarters = 0;
    if (!take(quarters) || quarters < 0 || quarters > 96) return std::nullopt;
    const auto year = field[0] < 100 ? 2000 + field[0] : field[0];
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(field[1])},
                                           std::chrono::day{static_cast<unsigned>(field[2])}};
    if (year > 2200 || !date.ok() || field[3] > 23 || field[4] > 59 || field[5] > 60) return std::nullopt;
    const std::chrono::minutes zone{15 * (west ? -quarters : quarters)};
    return WallTime{std::chrono::sys_days{date}} + std::chrono::hours{field[3]} + std::chrono::minutes{field[4]} +
           std::chrono::seconds{field[5]} - zone;
}

Echo compare_echo(std::string_view heard, std::string_view written) {
    std::string echo;
    while (!heard.empty()) {
        const std::string_view line = heard.substr(0, heard.find_first_of("\r\n"));
        std::string digits{line};
        std::erase_if(digits, [](char c) { return c == '>' || c == ' '; });
        if (is_hex(digits)) echo += upper(digits);
        heard.remove_prefix(std::min(heard.size(), line.size() + 1));
    }
    if (echo.empty()) return Echo::none;
    const std::string whole = upper(written);
    if (echo == whole) return Echo::whole;
    return whole.starts_with(echo) ? Echo::partial : Echo::different;
}

std::optional<std::string> parse_crsm_iccid(Answer lines) {
    if (lines.empty()) return std::nullopt;
    const Fields f{lines[0]};
    if (f.number(0) != 144) return std::nullopt;
    const std::string content = f.text(2);
    if (!is_hex(content) || content.size() % 2 != 0) return std::nullopt;
    std::string digits;
    for (std::size_t i = 0; i + 1 < content.size(); i += 2)
        for (const char c : {content[i + 1], content[i]})
            if (is_digit(c)) digits += c;
    return digits.size() >= 18 ? std::optional{digits} : std::nullopt;
}

std::optional<std::string> parse_iccid(Answer lines) {
    for (const std::string& line : lines) {
        const std::size_t begin = line.find_first_of("0123456789", std::min(line.find(':') + 1, line.size()));
        if (begin == std::string::npos) continue;
        const std::size_t end = std::min(line.find_first_not_of("0123456789Ff", begin), line.size());
        std::string digits = line.substr(begin, end - begin);
        if (digits.starts_with("98"))
            for (std::size_t i = 0; i + 1 < digits.size(); i += 2) std::swap(digits[i], digits[i + 1]);
        digits.resize(std::min(digits.find_first_not_of("0123456789"), digits.size()));
        if (digits.size() >= 18) return digits;
    }
    return std::nullopt;
}

std::string parse_plain(Answer lines) {
    if (lines.empty()) return {};
    std::string_view text = lines[0];
    if (text.front() == '+')
        if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) text.remove_prefix(colon + 1);
    text = trim(text);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    return std::string{text};
}

std::string parse_cnum(Answer lines) {
    for (const std::string& line : lines) {
        const Fields f{line};
        std::string number = f.text(1);
        if (number.empty()) continue;
        if (number.front() != '+' && f.number(2) == 145) number.insert(0, "+");
        return number;
    }
    return {};
}

}  // namespace conductor::at
