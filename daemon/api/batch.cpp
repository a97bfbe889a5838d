#include "daemon/api/batch.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "daemon/api/fields.hpp"

namespace conductor::api {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

void RowSplitter::feed(std::string_view octets) {
    for (const char c : octets) {
        switch (state_) {
            case State::start:
                number_ += c == '\n';
                if (is_space(c)) break;
                if (c == '[') number_ = 1;
                state_ = c == '[' ? State::before_element : State::line;
                if (state_ == State::line) line(c);
                break;
            case State::line: line(c); break;
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

void RowSplitter::line(char c) {
    if (c == '\n') {
        emit();
        ++number_;
    } else if (!text_.empty() || !is_space(c)) {
        add(c);
    }
}

void RowSplitter::element(char c) {
    if (quoted_) {
        add(c);
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
    add(c);
}

void RowSplitter::add(char c) {
    if (text_.size() < longest_)
        text_ += c;
    else
        too_long_ = true;
}

void RowSplitter::emit() {
    if (text_.empty() && state_ == State::line) return;
    row_(text_, too_long_, number_);
    text_.clear();
    too_long_ = false;
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

BatchReader::BatchReader(std::size_t most_rows)
    : most_rows_{most_rows},
      splitter_{[this](std::string_view text, bool too_long, std::size_t number) { add(text, too_long, number); }, longest_row} {}

void BatchReader::feed(std::string_view octets) {
    if (!too_many_) splitter_.feed(octets);
}

void BatchReader::add(std::string_view text, bool too_long, std::size_t number) {
    if (rows_.size() == most_rows_) {
        too_many_ = true;
        return;
    }
    if (too_long) {
        rows_.push_back({number, Refusal{422, "too-long", fmt::format("the row is longer than {} octets", longest_row)}});
        return;
    }
    const auto body = parse_json(text);
    if (body)
        rows_.push_back({number, parse_new_message(*body)});
    else
        rows_.push_back({number, body.error()});
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
