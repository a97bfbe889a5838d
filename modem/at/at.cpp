#include "modem/at/at.hpp"

#include <algorithm>
#include <charconv>

namespace conductor::at {

namespace {
constexpr char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
}  // namespace

const char* errc_library(AtErrc) {
    return "at";
}

std::string_view describe(AtErrc e) {
    switch (e) {
        case AtErrc::timeout: return "no answer in time";
        case AtErrc::refused: return "the modem refused the command";
        case AtErrc::lost: return "the port went away";
        case AtErrc::rebooted: return "the modem restarted";
        case AtErrc::not_open: return "the modem is not open";
        case AtErrc::interrupted: return "interrupted";
        case AtErrc::malformed: return "an answer that cannot be read";
        case AtErrc::forbidden: return "this command is not allowed here";
    }
    return "?";
}

bool is_hex(std::string_view text) {
    const auto digit = [](char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f'); };
    return !text.empty() && std::ranges::all_of(text, digit);
}

bool starts_with(std::string_view text, std::string_view prefix) {
    if (text.size() < prefix.size()) return false;
    for (std::size_t i = 0; i < prefix.size(); ++i)
        if (lower(text[i]) != lower(prefix[i])) return false;
    return true;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::optional<int> to_int(std::string_view text) {
    text = trim(text);
    if (!text.empty() && text.front() == '+') text.remove_prefix(1);
    int value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string upper(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return out;
}

namespace {
constexpr std::string_view extended_that_send[] = {"+CMGS", "+CMGW", "+CMGC", "+CMSS", "+CGDATA"};

bool is_letter(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Where the extended command that begins at 0 ends: behind a ';' outside quotes.
std::size_t end_of_extended(std::string_view line) {
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '"') quoted = !quoted;
        if (line[i] == ';' && !quoted) return i + 1;
    }
    return line.size();
}
}  // namespace

bool sends_or_calls(std::string_view line) {
    std::string whole;  // blanks outside quotes mean nothing
    bool quoted = false;
    for (const char c : line) {
        if (c == '"') quoted = !quoted;
        if (c != ' ' || quoted) whole += c;
    }
    std::string_view rest = whole;
    if (starts_with(rest, "AT")) rest.remove_prefix(2);
    while (!rest.empty()) {
        const char c = rest.front();
        if (std::string_view{"+^*#$%_!@-"}.find(c) != std::string_view::npos) {
            for (const std::string_view name : extended_that_send)
                if (starts_with(rest, name)) return true;
            rest.remove_prefix(end_of_extended(rest));
            continue;
        }
        rest.remove_prefix(1);
        if (c == '&' && !rest.empty()) rest.remove_prefix(1);
        if (is_letter(c) && std::string_view{"DAOdao"}.find(c) != std::string_view::npos) return true;
    }
    return false;
}

}  // namespace conductor::at
