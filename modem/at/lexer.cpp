#include "modem/at/lexer.hpp"

#include <algorithm>

#include "modem/at/at.hpp"

namespace conductor::at {

void Lexer::feed(std::span<const std::uint8_t> octets) {
    waiting_.insert(waiting_.end(), octets.begin(), octets.end());
}

/// Octets are looked at only until there is a token, since the caller may change expect_prompt() after each.
std::optional<Token> Lexer::next() {
    while (ready_.empty() && !waiting_.empty()) {
        const std::uint8_t o = waiting_.front();
        waiting_.pop_front();
        octet(o);
    }
    if (ready_.empty()) return std::nullopt;
    Token token = std::move(ready_.front());
    ready_.pop_front();
    return token;
}

void Lexer::reset() {
    line_.clear();
    skipping_ = in_text_ = false;
    waiting_.clear();
    ready_.clear();
}

void Lexer::octet(std::uint8_t o) {
    if (o == '\r' || o == '\n') return end_of_line();
    if (skipping_) return;
    const bool is_letter = in_text_ || ((o < 0x20 || o == 0x7f) && starts_with(line_, "+CUSD:"));
    if (o == '\t' && !is_letter) o = ' ';
    if ((o < 0x20 || o == 0x7f) && !is_letter) return;
    if (line_.empty() && !in_text_) {
        if (o == ' ' || o >= 0x80) return;
        if (o == '>' && expecting_) {
            ready_.push_back({Token::Kind::prompt, ">"});
            return;
        }
    }
    if (line_.size() == max_line) {
        ++overlong_;
        skipping_ = true;
        line_.clear();
        return;
    }
    line_ += static_cast<char>(o);
}

void Lexer::end_of_line() {
    skipping_ = false;
    std::string line = std::move(line_);
    line_.clear();
    std::string_view rest = line;
    while (!rest.empty() && rest.front() == '>') rest = trim(rest.substr(1));  // a prompt nobody waits for, in front of a line
    rest = trim(rest);
    if (rest == "+") return;  // Huawei E1752 ends lines with CR '+' LF (T05)
    if (!rest.empty()) split(std::string{rest});
}

namespace {
/// Octets of a PDU line that some modems end with ",0" (FIELD row 79): without it.
void drop_tail_of_pdu(std::string& line) {
    const std::size_t comma = line.find(',');
    if (comma == std::string::npos || comma < 16 || !is_hex(std::string_view{line}.substr(0, comma))) return;
    const std::size_t end = std::min(line.find_first_not_of("0123456789", comma + 1), line.size());
    const bool last = end == line.size() || line[end] == '+' || line[end] == '^';
    if (end > comma + 1 && last) line.erase(comma, end - comma);
}
}  // namespace

/// "ERROR+CNUM: ..." (T53), "OK+CMTI: ...", and a CMGL entry or OK glued to the PDU before it (FIELD row 79).
void Lexer::split(std::string line) {
    drop_tail_of_pdu(line);
    const auto glued_at = [&]() -> std::size_t {
        for (const std::string_view word : {"ERROR", "OK"})
            if (line.size() > word.size() + 1 && line.starts_with(word) && (line[word.size()] == '+' || line[word.size()] == '^'))
                return word.size();
        std::size_t hex = 0;
        while (hex < line.size() && is_hex(std::string_view{line}.substr(hex, 1))) ++hex;
        if (hex < 16 || hex == line.size()) return 0;
        const std::string_view rest = std::string_view{line}.substr(hex);
        return rest.starts_with("+C") || rest.starts_with("^") || rest == "OK" ? hex : 0;
    };
    for (std::size_t at = glued_at(); at != 0; at = glued_at()) {
        ready_.push_back({Token::Kind::line, line.substr(0, at)});
        line.erase(0, at);
        drop_tail_of_pdu(line);
    }
    ready_.push_back({Token::Kind::line, std::move(line)});
}

}  // namespace conductor::at
