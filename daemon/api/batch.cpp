#include "daemon/api/batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/api/fields.hpp"

namespace conductor::api {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

void RowSplitter::feed(std::string_view octets) {
    for (std::size_t at = 0; at < octets.size(); ++at) {
        const char c = octets[at];
        switch (state_) {
            case State::start:
                number_ += c == '\n';
                if (is_space(c)) break;
                if (c == '[') number_ = 1;
                state_ = c == '[' ? State::before_element : State::line;
                if (state_ == State::line) line({&c, 1});
                break;
            case State::line: {
                const auto end = octets.find('\n', at);
                line(octets.substr(at, end - at));
                if (end == octets.npos) return;
                emit();
                ++number_;
                at = end;
                break;
            }
            case State::before_element:
                if (is_space(c)) break;
                if (c == ']') {
                    state_ = comma_ ? State::broken : State::after_array;
                    break;
                }
                state_ = State::element;
                element(c);
                break;
            case State::element: element(c); break;
            case State::after_array:
                if (!is_space(c)) state_ = State::broken;
                break;
            case State::broken: return;
        }
    }
}

/// A piece of a line, without its end.
void RowSplitter::line(std::string_view piece) {
    if (text_.empty()) piece.remove_prefix(std::min(piece.size(), piece.find_first_not_of(" \t\r\n")));
    add(piece);
}

void RowSplitter::element(char c) {
    if (quoted_) {
        add({&c, 1});
        if (escaped_)
            escaped_ = false;
        else if (c == '\\')
            escaped_ = true;
        else if (c == '"')
            quoted_ = false;
        return;
    }
    if (depth_ == 0 && (c == ',' || c == ']')) {
        emit();
        ++number_;
        comma_ = c == ',';
        state_ = comma_ ? State::before_element : State::after_array;
        return;
    }
    if (c == '"') quoted_ = true;
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') --depth_;
    add({&c, 1});
}

void RowSplitter::add(std::string_view piece) {
    const auto room = longest_ - text_.size();
    text_ += piece.substr(0, room);
    too_long_ = too_long_ || piece.size() > room;
}

void RowSplitter::emit() {
    if (text_.empty() && state_ == State::line) return;
    row_(std::exchange(text_, {}), std::exchange(too_long_, false), number_);
}

std::optional<std::string_view> RowSplitter::finish() {
    switch (state_) {
        case State::start:
        case State::after_array: return std::nullopt;
        case State::line: emit(); return std::nullopt;
        case State::before_element:
        case State::element: return "the array is not closed";
        case State::broken: return "the array ends with a comma, or something follows it";
    }
    return std::nullopt;
}

Answer<NewMessage> BatchRow::message() const {
    if (too_long) return Refusal{422, "too-long", fmt::format("the row is longer than {} octets", BatchReader::longest_row)};
    const auto body = parse_json(text);
    if (!body) return body.error();
    return parse_new_message(*body);
}

BatchReader::BatchReader(std::size_t most_rows)
    : most_rows_{most_rows},
      splitter_{[this](std::string text, bool too_long, std::size_t number) {
                    too_many_ = too_many_ || rows_.size() == most_rows_;
                    if (!too_many_) rows_.push_back({number, too_long ? std::string{} : std::move(text), too_long});
                },
                longest_row} {}

void BatchReader::feed(std::string_view octets) {
    if (!too_many_) splitter_.feed(octets);
}

Answer<std::deque<BatchRow>> BatchReader::finish() {
    const auto broken = splitter_.finish();
    if (too_many_) {
        std::string message = fmt::format("more than {} rows; nothing was taken: send them in several batches", most_rows_);
        return Refusal{413, "too-many-rows", std::move(message)};
    }
    if (broken) return Refusal{400, "bad-json", fmt::format("{}; nothing was taken", *broken)};
    if (rows_.empty()) return Refusal{400, "bad-json", "the batch has no rows; one JSON object a line, or an array, is expected"};
    return std::move(rows_);
}

}  // namespace conductor::api
