#include "modem/at/dialogue.hpp"

#include "modem/at/ussd.hpp"

namespace conductor::at {

namespace {
constexpr int max_text_lines = 64;  ///< of one +CUSD; its text has 182 characters at most
}  // namespace

void Dialogue::start(Command command) {
    last_written_ = "AT" + command.line;
    reply_ = {};
    owned_ = 0;
    pair_open_ = false;
    lexer_.expect_prompt(command.prompt);
    running_ = std::move(command);
}

void Dialogue::abandon() {
    running_.reset();
    pair_open_ = false;
    lexer_.expect_prompt(false);
}

void Dialogue::reset() {
    abandon();
    lexer_.reset();
    half_ = nullptr;
    text_.clear();
}

void Dialogue::feed(std::span<const std::uint8_t> octets, const Sink& sink) {
    lexer_.feed(octets);
    while (auto token = lexer_.next()) {
        if (token->kind == Token::Kind::prompt) {
            lexer_.expect_prompt(false);
            sink(Prompt{});
        } else {
            line(std::move(token->text), sink);
        }
    }
}

/// Echoes come once, doubled (T03), with ESC (dropped by the lexer, T51), and with the PDU behind the prompt. No URC begins with "AT".
bool Dialogue::is_echo(std::string_view text) const {
    return starts_with(text, "AT") && (text == last_written_ || text == "AT" || (text.size() > 2 && (text[2] == '+' || text[2] == '^')));
}

/// A further line of a +CUSD with line breaks in its quotes. A line that is surely something else (a final result that is waited for, a
/// URC) ends the text where it is, so that a quote that never closes swallows nothing.
bool Dialogue::goes_on(const std::string& text, const Sink& sink) {
    const Owner owner = owner_of(text, running_ ? &*running_ : nullptr, urc_rules());
    const bool asked = running_ && starts_with(running_->line, "+CUSD");
    const bool other =
        owner == Owner::final_result || owner == Owner::urc || (owner == Owner::command && !asked) || text_lines_ >= max_text_lines;
    const bool fits = text_.size() + text.size() < Lexer::max_line;
    if (other || !fits) {
        end_text(sink);
        return false;
    }
    text_ += "\n" + text;
    ++text_lines_;
    if (!ussd_continues(text_)) end_text(sink);
    return true;
}

void Dialogue::end_text(const Sink& sink) {
    lexer_.expect_text(false);
    const std::string one[] = {std::exchange(text_, {})};
    urc(*find_rule(one[0], urc_rules()), one, sink);
}

void Dialogue::line(std::string text, const Sink& sink) {
    if (half_) {
        const UrcRule& rule = *std::exchange(half_, nullptr);
        if (is_hex(text)) {
            const std::string both[] = {std::move(half_header_), std::move(text)};
            return urc(rule, both, sink);
        }
        ++malformed_;  // its PDU was lost; the line belongs to somebody else
    }
    if (is_echo(text)) {
        ++echoes_;
        return;
    }
    if (!text_.empty() && goes_on(text, sink)) return;
    if (running_ && pair_open_ && is_hex(text)) {
        pair_open_ = false;
        ++owned_;
        reply_.lines.push_back(upper(text));
        return;
    }
    switch (owner_of(text, running_ ? &*running_ : nullptr, urc_rules())) {
        case Owner::final_result: {
            reply_.final = *parse_final(text);
            abandon();
            return sink(Finished{std::exchange(reply_, {})});
        }
        case Owner::command:
            pair_open_ = running_->shape == Shape::pairs;
            ++owned_;
            if (reply_.lines.size() < max_lines) reply_.lines.push_back(std::move(text));
            return;
        case Owner::urc: {
            const UrcRule& rule = *find_rule(text, urc_rules());
            if (rule.lines == 2) {
                half_ = &rule;
                half_header_ = std::move(text);
                return;
            }
            if (starts_with(text, "+CUSD:") && ussd_continues(text)) {
                text_ = std::move(text);
                text_lines_ = 1;
                lexer_.expect_text(true);
                return;
            }
            const std::string one[] = {std::move(text)};
            return urc(rule, one, sink);
        }
        case Owner::nobody: {
            auto final = parse_final(text);
            return sink(Stray{std::move(text), std::move(final)});
        }
    }
}

void Dialogue::urc(const UrcRule& rule, std::span<const std::string> lines, const Sink& sink) {
    Result<Urc> parsed = rule.parse(lines);
    if (!parsed) {
        ++malformed_;
        return;
    }
    sink(std::move(*parsed));
}

}  // namespace conductor::at
