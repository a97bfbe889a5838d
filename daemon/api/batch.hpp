#pragma once
// The rows of POST /v1/messages/batch, read while the body arrives: NDJSON, or one JSON array.
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/backend.hpp"

namespace conductor::api {

/// Cuts a stream of octets into the texts of its rows, whatever the size of the pieces. The first character that is no space decides:
/// '[' is an array, everything else is one row a line (blank lines are no rows, but are counted as lines).
class RowSplitter {
public:
    /// `number` counts from 1: lines of NDJSON, blank ones too, or elements of an array.
    using Row = std::function<void(std::string text, bool too_long, std::size_t number)>;
    RowSplitter(Row row, std::size_t longest_row) : row_{std::move(row)}, longest_{longest_row} {}
    void feed(std::string_view octets);
    /// The body has ended; an answer is what is wrong with its frame.
    std::optional<std::string_view> finish();

private:
    enum class State { start, line, before_element, element, after_array, broken };
    void line(std::string_view piece);
    void element(char c);
    void add(std::string_view piece);
    void emit();

    Row row_;
    std::size_t longest_;
    State state_ = State::start;
    std::string text_;
    bool too_long_ = false, quoted_ = false, escaped_ = false, comma_ = false;
    int depth_ = 0;
    std::size_t number_ = 1;
};

/// A row as it came: what it says is read when its turn to be stored has come, while the rows before it are being stored.
struct BatchRow {
    std::size_t number = 1;  ///< its line or element, from 1
    std::string text;
    bool too_long = false;  ///< and not kept

    /// The checked message, or a refusal at its place.
    Answer<NewMessage> message() const;
};

/// The rows of a body that arrives in pieces.
class BatchReader {
public:
    static constexpr std::size_t longest_row = 256 * 1024;
    explicit BatchReader(std::size_t most_rows);
    BatchReader(const BatchReader&) = delete;
    BatchReader& operator=(const BatchReader&) = delete;
    void feed(std::string_view octets);
    /// All rows in order; or why nothing of the batch was taken: no rows, too many (413), or not a list.
    Answer<std::deque<BatchRow>> finish();

private:
    std::size_t most_rows_;
    std::deque<BatchRow> rows_;
    bool too_many_ = false;
    RowSplitter splitter_;
};

}  // namespace conductor::api
