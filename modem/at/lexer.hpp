#pragma once
// Octets to lines and prompts. Total: any octets, cut anywhere, give the same tokens.
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>

namespace conductor::at {

struct Token {
    enum class Kind : std::uint8_t { line, prompt };
    Kind kind = Kind::line;
    std::string text;  ///< without line ends, control octets and blanks at the ends; never empty for a line
    bool operator==(const Token&) const = default;
};

/// Line ends are any mix of CR and LF (T05: "\r\r\n", "\r+\n"). Control octets (ESC, NUL, the Ctrl-Z of an echo) are dropped, and so is
/// noise with the high bit at the start of a line; both are kept in the text of a +CUSD, where they are letters. Lines that modems glue
/// together without a line end are split where that is certain.
class Lexer {
public:
    /// Longest line kept; a longer one is dropped whole and counted. The longest honest one is a +CUSD of 182 UCS-2 characters.
    static constexpr std::size_t max_line = 4096;

    void feed(std::span<const std::uint8_t> octets);
    std::optional<Token> next();
    /// While true, a line that begins with '>' is a prompt at once: a prompt has no line end, and "> " and ">\r\n" (T01) both occur.
    void expect_prompt(bool expected) { expecting_ = expected; }
    /// While true, the lines are those of a +CUSD's quoted text.
    void expect_text(bool expected) { in_text_ = expected; }
    /// Forgets a half line.
    void reset();
    std::uint64_t overlong() const { return overlong_; }

private:
    void octet(std::uint8_t o);
    void end_of_line();
    void split(std::string line);

    std::deque<Token> ready_;
    std::deque<std::uint8_t> waiting_;  ///< octets behind a token that may change what is expected
    std::string line_;
    bool expecting_ = false, in_text_ = false;
    bool skipping_ = false;
    std::uint64_t overlong_ = 0;
};

}  // namespace conductor::at
