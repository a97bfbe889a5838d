#include "daemon/dispatch/balance.hpp"

#include <fmt/format.h>

#include <charconv>

namespace conductor::dispatch {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// ASCII lower case, runs of blanks and line ends as one blank, none at the ends.
std::string plain(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        const bool no_break = c == '\xC2' && i + 1 < text.size() && text[i + 1] == '\xA0';
        if (no_break) ++i;
        if (no_break || c == '\t' || c == '\r' || c == '\n') c = ' ';
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
        out += c;
    }
    if (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

/// Length of the amount at the start of `text`: digits, and between them single separators.
std::size_t length_of_amount(std::string_view text) {
    std::size_t end = 0;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end == 0) return 0;
    for (;;) {
        if (end + 1 >= text.size()) return end;
        const char sign = text[end];
        if (sign != '.' && sign != ',' && sign != '\'' && sign != ' ') return end;
        std::size_t next = end + 1;
        while (next < text.size() && is_digit(text[next])) ++next;
        const std::size_t digits = next - end - 1;
        if (digits == 0 || ((sign == ' ' || sign == '\'') && digits != 3)) return end;
        end = next;
    }
}

std::optional<double> value_of(std::string_view amount) {
    const std::size_t sign = amount.find_last_of(".,");
    bool fraction = sign != std::string_view::npos;
    if (fraction &&
        amount.size() - sign - 1 == 3) {  // a group, unless another kind of separator made the groups or nothing stands before it
        const std::size_t first = amount.find_first_of(".,' ");
        fraction = amount.substr(0, sign) == "0" || (first != sign && amount[first] != amount[sign]);
    }
    std::string digits;
    for (std::size_t i = 0; i < amount.size(); ++i) {
        if (is_digit(amount[i])) digits += amount[i];
        if (fraction && i == sign) digits += '.';
    }
    double value = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return failed == std::errc{} && end == digits.data() + digits.size() ? std::optional{value} : std::nullopt;
}

/// What nobody writes into a pattern, behind its text: blanks, a colon, a currency's sign (of Latin-1, or U+2080 to U+20BF), a minus.
bool is_gap(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (std::string_view{" :;.,=*$#+-()"}.find(text[i]) != std::string_view::npos) continue;
        const std::string_view rest = text.substr(i);
        const bool latin = rest.size() >= 2 && rest[0] == '\xC2' && rest[1] >= '\xA2' && rest[1] <= '\xA5';
        const bool currency = rest.size() >= 3 && rest.starts_with("\xE2\x82");
        if (!latin && !currency) return false;
        i += latin ? 1 : 2;
    }
    return true;
}

}  // namespace

std::optional<double> balance_in(std::string_view answer, std::string_view pattern) {
    constexpr std::string_view placeholder = "{balance}";
    const std::string text = plain(answer);
    const std::size_t place = pattern.find(placeholder);
    const std::string before = plain(pattern.substr(0, place));
    const std::string behind = place == std::string_view::npos ? std::string{} : plain(pattern.substr(place + placeholder.size()));
    for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at + 1)) {
        std::size_t i = at + before.size();
        // an amount may stand behind what nobody writes into a pattern: blanks, a colon, a currency's sign
        const std::size_t first = text.find_first_of("0123456789", i);
        if (first == std::string::npos) return std::nullopt;
        if (!before.empty() && !is_gap(std::string_view{text}.substr(i, first - i))) continue;
        i = first;
        const std::size_t length = length_of_amount(std::string_view{text}.substr(i));
        const std::string_view rest = std::string_view{text}.substr(i + length);
        const auto skipped = rest.find_first_not_of(' ');
        if (!behind.empty() && (skipped == std::string_view::npos || !rest.substr(skipped).starts_with(behind))) {
            if (before.empty()) at = i + length - 1;
            continue;
        }
        auto value = value_of(std::string_view{text}.substr(i, length));
        const bool negative = i > 0 && (text[i - 1] == '-' || (i > 1 && text[i - 1] == ' ' && text[i - 2] == '-'));
        if (value && negative) value = -*value;
        if (value) return value;
    }
    return std::nullopt;
}

std::string BalanceState::to_text() const {
    return fmt::format("{} {} {} {}", asked_ms, read_ms, failures, amount ? fmt::format("{}", *amount) : "-");
}

BalanceState BalanceState::from_text(std::string_view text) {
    BalanceState s;
    const auto word = [&text] {
        const std::string_view w = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), w.size() + 1));
        return w;
    };
    const auto number = [&](auto& to) {
        const std::string_view w = word();
        const auto [end, failed] = std::from_chars(w.data(), w.data() + w.size(), to);
        return failed == std::errc{} && end == w.data() + w.size();
    };
    if (!number(s.asked_ms) || !number(s.read_ms) || !number(s.failures)) return {};
    double amount = 0;
    if (number(amount)) s.amount = amount;
    return s;
}

}  // namespace conductor::dispatch
