#pragma once
// The state of one AT session without its octets' transport: tokens in, events out. It never waits and reads no clock.
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "modem/at/at.hpp"
#include "modem/at/lexer.hpp"
#include "modem/at/urc.hpp"

namespace conductor::at {

struct Prompt {
    bool operator==(const Prompt&) const = default;
};
struct Finished {
    Reply reply;
};
/// A line that is nobody's: noise, an echo that changed, or the answer to a command that was given up (`final`).
struct Stray {
    std::string line;
    std::optional<FinalResult> final;
};
using Event = std::variant<Prompt, Finished, Urc, Stray>;

/// Lines of one answer: a full list of 1000 stored messages; what is more is dropped.
inline constexpr std::size_t max_lines = 2048;

class Dialogue {
public:
    using Sink = std::function<void(Event)>;

    /// One command at a time: the one before must be finished or abandoned.
    void start(Command command);
    /// The running command gets no more answer (deadline, reboot); its late lines are strays or URCs.
    void abandon();
    bool running() const { return running_.has_value(); }
    /// The lines that the running command owns so far.
    std::span<const std::string> so_far() const { return reply_.lines; }
    /// How many lines the running command was given, also of those that are dropped.
    std::size_t owned() const { return owned_; }
    /// Forgets half a line and a URC that waits for its second line.
    void reset();
    void feed(std::span<const std::uint8_t> octets, const Sink& sink);
    /// Echoes of our own commands: after ATE0 there are none, until the modem restarts without a word.
    std::uint64_t echoes() const { return echoes_; }
    std::uint64_t overlong() const { return lexer_.overlong(); }
    std::uint64_t malformed() const { return malformed_; }

private:
    void line(std::string text, const Sink& sink);
    bool is_echo(std::string_view text) const;
    void urc(const UrcRule& rule, std::span<const std::string> lines, const Sink& sink);
    bool goes_on(const std::string& text, const Sink& sink);
    void end_text(const Sink& sink);

    Lexer lexer_;
    std::optional<Command> running_;
    Reply reply_;
    std::size_t owned_ = 0;
    std::string last_written_;
    const UrcRule* half_ = nullptr;  ///< a two-line URC that waits for its PDU
    std::string half_header_;
    std::string text_;  ///< a +CUSD whose quoted text has line breaks, so far
    int text_lines_ = 0;
    bool pair_open_ = false;  ///< the running command waits for the PDU of a header
    std::uint64_t malformed_ = 0, echoes_ = 0;
};

}  // namespace conductor::at
